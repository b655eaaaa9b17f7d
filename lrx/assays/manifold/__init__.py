"""The assay `manifold`."""
