"""Pictures, drawn from result files alone: one file an assay, named after it."""
