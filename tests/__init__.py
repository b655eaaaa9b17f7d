"""Tests, one file a file of lrx/."""
