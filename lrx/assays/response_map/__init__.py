"""Assay `response_map`."""
