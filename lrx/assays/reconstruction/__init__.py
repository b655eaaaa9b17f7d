"""Assay `reconstruction`."""
