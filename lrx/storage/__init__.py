"""Results in HDF5, atomic files, tensors and state dicts."""
