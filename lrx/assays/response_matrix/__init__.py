"""Assay `response_matrix`."""
