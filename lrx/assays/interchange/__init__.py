"""Assay `interchange`."""
