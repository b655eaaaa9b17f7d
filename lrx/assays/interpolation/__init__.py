"""Assay `interpolation`."""
