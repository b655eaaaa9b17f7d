"""Renderers of the procedural data sets, for where the official file is not at hand."""
