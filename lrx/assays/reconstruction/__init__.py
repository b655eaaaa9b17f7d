"""The assay `reconstruction`."""
