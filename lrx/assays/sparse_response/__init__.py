"""Assay `sparse_response`."""
