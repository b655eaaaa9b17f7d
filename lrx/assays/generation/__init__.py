"""Assay `generation`."""
