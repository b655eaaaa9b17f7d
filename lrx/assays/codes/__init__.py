"""Assay `codes`."""
