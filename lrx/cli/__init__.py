"""The console script `lrx`."""
