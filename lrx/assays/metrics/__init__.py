"""Assay `metrics`."""
