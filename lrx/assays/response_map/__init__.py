"""The assay `response_map`."""
