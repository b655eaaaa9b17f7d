"""Array of texts, such as names of factors or genes, beside the numbers of an npz or HDF5 file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from lrx.data.store.npz import BROKEN


def read_texts(file: Path, key: str) -> list[str] | None:
    """Return the array `key` as texts; None where there is none. ValueError for anything but a row of texts."""
    texts: np.ndarray | None
    try:
        if h5py.is_hdf5(file):
            with h5py.File(file, "r") as opened:
                texts = np.asarray(opened[key].asstr()[()], dtype=np.str_) if key in opened else None
        else:
            with np.load(file, allow_pickle=False) as arrays:
                texts = arrays.get(key)
        if texts is not None and (texts.ndim != 1 or texts.dtype.kind not in "SU"):
            raise ValueError(f"it is {texts.dtype} {texts.shape}")
        return None if texts is None else [str(name) for name in texts.astype(np.str_).tolist()]
    except (*BROKEN, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{key} must be an array of texts, one a column ({error})") from error
