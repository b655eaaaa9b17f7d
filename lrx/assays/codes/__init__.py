"""The assay `codes`."""
