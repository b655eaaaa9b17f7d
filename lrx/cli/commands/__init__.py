"""Commands: a file for each, and their table in registry.py."""
