"""The assay `factor_inference`."""
