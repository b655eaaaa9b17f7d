"""Arrays inside an official HDF5 file, read in slabs that fit its chunks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import h5py
import numpy as np
from h5py import h5z

from lrx.core.text import join_names, one_line
from lrx.storage.array_attributes import plain
from lrx.storage.hdf5_members import why_unreadable

SLAB_BYTES = 16 << 20  # at least, so that small chunks are read many at a time
PEAK_BYTES = 256 << 20  # at most, unless one row is more
# attributes by which netCDF says that numbers are packed, unless they are these, or missing (NetCDF User's Guide, A)
PACKING, MISSING = {"scale_factor": 1, "add_offset": 0}, ("_FillValue", "missing_value")
LARGEST_CHUNK = 1 << 30  # bytes of a compressed chunk, which HDF5 unpacks as a whole whatever is asked for


def read_rows(path: Path, key: str, *, shape: tuple[int, ...], dtype: str) -> Iterator[np.ndarray]:
    """Yield the array `key` in slabs of rows, each chunk being read once.

    ValueError in one line when the file is not a whole HDF5 file, has no such array, the array has another shape or
    dtype, its values lie in another file (a link, a virtual data set, external storage) or in chunks of gigabytes, or
    its attributes say that its numbers are packed, or that one of them is missing.
    """
    with _open(path, key) as array:
        if (array.shape, array.dtype) != (shape, np.dtype(dtype)):
            raise ValueError(
                f"{path}: {key!r} has shape {array.shape} and dtype {array.dtype}, not {shape} and {dtype}"
            )
        step = slab_rows(array.chunks[0] if array.chunks else 1, row_bytes=array.nbytes // shape[0])
        missing = {name: plain(array.attrs[name]) for name in MISSING if name in array.attrs}
        for start in range(0, shape[0], step):
            rows = array[start : start + step]
            for name, value in missing.items():
                if isinstance(value, int | float) and (rows == value).any():
                    row = start + int(np.argwhere(rows == value)[0, 0])
                    raise ValueError(f"{path}: row {row} of {key!r} lacks a value: it has {value:g}, its {name}")
            yield rows


def read_header(path: Path, key: str) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape and dtype of the array `key`; ValueError as in `read_rows`. Reads no values."""
    with _open(path, key) as array:
        return array.shape, array.dtype


def slab_rows(chunk_rows: int, *, row_bytes: int) -> int:
    """Return the number of rows to read at once: whole chunks, unless a single one would pass the peak.

    >>> slab_rows(23040, row_bytes=4096)  # dSprites: 94 MB
    23040
    >>> slab_rows(100, row_bytes=4096)
    4000
    """
    if chunk_rows * row_bytes > PEAK_BYTES:
        pieces = -(-chunk_rows * row_bytes // PEAK_BYTES)
        return max(1, -(-chunk_rows // pieces))
    return chunk_rows * max(1, SLAB_BYTES // (chunk_rows * row_bytes))


@contextmanager
def _open(path: Path, key: str) -> Iterator[h5py.Dataset]:
    """Open the array `key` of a file; errors of HDF5 become a ValueError of one line."""
    try:
        with h5py.File(path, "r") as file:
            yield _array(file, path, key)
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(why_unreadable(path, "whole HDF5 file", error)) from error


def _array(file: h5py.File, path: Path, key: str) -> h5py.Dataset:
    """Return the data set `key`, whose values must lie in this very file."""
    node: h5py.Group | h5py.Dataset = file
    for part in key.split("/"):
        link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        if link is None:
            raise ValueError(f"{path} has no array {key!r}; it holds {', '.join(sorted(map(str, file))) or 'nothing'}")
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{path}: {key!r} is a link to elsewhere, not an array of this file")
        node = node[part]
    if not isinstance(node, h5py.Dataset):
        raise ValueError(f"{path}: {key!r} is a group, not an array")
    if node.is_virtual or node.external:
        raise ValueError(f"{path}: the values of {key!r} lie in another file")
    packing = {name: plain(node.attrs[name]) for name in PACKING if name in node.attrs}
    if any(packing[name] != PACKING[name] for name in packing):
        words = ", ".join(f"{name} {value}" for name, value in packing.items())
        raise ValueError(f"{path}: {key!r} is packed by netCDF ({words}), and lrx does not unpack: write plain numbers")
    chunk_bytes = math.prod(node.chunks or (0,)) * node.dtype.itemsize
    if chunk_bytes > LARGEST_CHUNK and node.id.get_create_plist().get_nfilters():
        raise ValueError(f"{path}: {key!r} is packed in chunks of {chunk_bytes:,} bytes, and each is read at once")
    lacking = _missing_filters(node)
    if lacking:
        raise ValueError(
            f"{path}: {key!r} is packed with {join_names(lacking)}, which HDF5 does not have here: pip install "
            "hdf5plugin, or unpack it where that is: h5repack -f NONE in.h5 out.h5"
        )
    return node


def _missing_filters(array: h5py.Dataset) -> list[str]:
    """Return the filters that an array is packed with and HDF5 lacks; those of hdf5plugin are there if it is."""
    storage = array.id.get_create_plist()
    filters = {code: name for code, _, _, name in map(storage.get_filter, range(storage.get_nfilters()))}
    if not all(map(h5z.filter_avail, filters)):
        with suppress(ImportError):
            import_module("hdf5plugin")  # gives HDF5 its filters
    return [
        f"{one_line(name.decode(errors='replace')).partition(';')[0] or 'a filter'} (number {code})"
        for code, name in filters.items()
        if not h5z.filter_avail(code)
    ]
