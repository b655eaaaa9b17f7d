"""Assay `factor_inference`."""
