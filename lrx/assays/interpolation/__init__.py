"""The assay `interpolation`."""
