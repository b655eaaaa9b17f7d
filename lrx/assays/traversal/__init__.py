"""Assay `traversal`."""
