"""The assay `metrics`."""
