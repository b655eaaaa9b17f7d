"""Assay `equivariance`."""
