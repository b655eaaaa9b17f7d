"""What assays are made of: draws, moments and their errors, Jacobians, fields, and paths between codes."""
