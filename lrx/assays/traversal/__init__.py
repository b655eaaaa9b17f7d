"""The assay `traversal`."""
