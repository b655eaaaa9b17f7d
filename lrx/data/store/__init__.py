"""Array files and images on disk, read in place or converted once."""
