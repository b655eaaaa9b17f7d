"""The assay `paper`."""
