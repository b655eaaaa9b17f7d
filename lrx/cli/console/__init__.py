"""Terminal output: messages, progress, tables."""
