"""Sample quality: feature spaces, factor probes and distances between sets of images."""
