"""The assay `conditioned_response`."""
