"""What assays are made of: rows of responses, moments and their errors, pieces of work, Jacobians, fields, paths."""
