"""Assay `paper`."""
