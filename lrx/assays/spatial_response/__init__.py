"""Assay `spatial_response`."""
