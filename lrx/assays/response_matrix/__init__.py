"""The assay `response_matrix`."""
