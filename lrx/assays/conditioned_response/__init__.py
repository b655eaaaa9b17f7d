"""Assay `conditioned_response`."""
