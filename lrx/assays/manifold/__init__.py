"""Assay `manifold`."""
