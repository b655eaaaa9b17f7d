"""Assay `footprint`."""
