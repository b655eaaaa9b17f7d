"""Assay `contraction`."""
