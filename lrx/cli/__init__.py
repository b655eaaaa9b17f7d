"""Console script `lrx`."""
