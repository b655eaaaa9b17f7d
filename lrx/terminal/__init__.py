"""What a person types and reads: usage, progress, tables, and one line for each error."""
