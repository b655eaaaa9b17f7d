"""Assay `round_trips`."""
