"""The assay `generation`."""
