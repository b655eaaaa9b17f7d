"""Array of one's own in an npz, npy or HDF5 file: its header, its rows in pieces, and their conversion.

Nothing is unpickled, and a file is known by its first bytes, not by its ending.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from lrx.core.paths import named_errors, why_no_file
from lrx.data.store import hdf5, npz

NPZ, NPY, HDF5 = b"PK\x03\x04", b"\x93NUMPY", b"\x89HDF\r\n\x1a\n"
PIECE_BYTES = 8 << 20


@dataclass(frozen=True)
class StoredArray:
    """Array in a file. key: its name there, of no effect for npy, which holds one."""

    path: Path
    key: str
    kind: bytes
    shape: tuple[int, ...]
    dtype: np.dtype

    def rows(self) -> Iterator[np.ndarray]:
        """Yield the array in pieces along its first axis, in C or Fortran order; ValueError for a cut file."""
        if self.kind == HDF5:
            yield from hdf5.read_rows(self.path, self.key, shape=self.shape, dtype=self.dtype.str)
            return
        num_rows = max(1, PIECE_BYTES // max(1, int(np.prod(self.shape[1:])) * self.dtype.itemsize))
        if self.kind == NPZ:
            yield from npz.read_rows(self.path, self.key, shape=self.shape, dtype=self.dtype.str, num_rows=num_rows)
            return
        for start in range(0, self.shape[0], num_rows):  # mapped anew for each piece, so that memory is given back
            yield np.array(_map(self.path)[start : start + num_rows])


def find_array(path: Path, key: str) -> StoredArray:
    """Return the array `key` of a file, of which only the header is read.

    ValueError in one line when the file is none of the three kinds, is not whole, or has no such array, or when the
    array holds objects; FileNotFoundError when there is no such file.
    """
    if path.is_dir():
        raise ValueError(
            f"{path} is a folder, and dataset=arrays reads one npz, npy or HDF5 file; a folder of images is "
            f"dataset=folder dataset.path={path}"
        )
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {why_no_file(path)}; name your array by dataset.path=...")
    with named_errors(path), open(path, "rb") as file:
        begin = file.read(8)
    kind = next((kind for kind in (NPZ, NPY, HDF5) if begin.startswith(kind)), None)
    if kind is None and h5py.is_hdf5(path):  # behind a block of the user's, as MATLAB writes
        kind = HDF5
    if kind is None:
        raise ValueError(f"{path} is neither an npz, an npy nor an HDF5 file")
    if kind == NPY:
        mapped = _map(path)
        shape, dtype = mapped.shape, mapped.dtype
        rest = path.stat().st_size - mapped.offset - mapped.nbytes
        if rest:  # numpy reads the first of several arrays that were saved into one open file
            raise ValueError(f"{path} holds {rest:,} bytes after its first array, of shape {shape}; save one array")
    else:
        shape, dtype = (npz if kind == NPZ else hdf5).read_header(path, key)
    if dtype.hasobject:
        raise ValueError(f"{path}: {key!r} holds python objects, which are never read; save numbers")
    if not shape or 0 in shape:
        raise ValueError(f"{path}: {key!r} has shape {shape}: it holds nothing")
    return StoredArray(path, key, kind, shape, dtype)


def _map(path: Path) -> np.memmap:
    try:
        array: np.memmap = np.load(path, mmap_mode="r", allow_pickle=False)
    except (*npz.BAD_HEADER, EOFError) as error:
        raise ValueError(f"{path} is not a whole npy file of numbers: {str(error).splitlines()[0]}") from error
    return array


def pixel_blocks(array: StoredArray, notes: list[str]) -> Iterator[np.ndarray]:
    """Yield the rows as uint8 of 0 to 255, in pieces; what was done to the values is added to `notes`.

    ValueError for floats outside [0, 1], and for other dtypes than uint8, bool and float.
    """
    if array.dtype.kind == "f":
        notes.append("values in [0, 1] rounded to 256 levels")
        yield from _rounded(array)
    elif array.dtype == np.bool_ or (array.dtype == np.uint8 and all(block.max() <= 1 for block in array.rows())):
        notes.append("values 0 and 1 taken as 0 and 255")
        for block in array.rows():
            yield block.astype(np.uint8) * np.uint8(255)
    elif array.dtype == np.uint8:
        yield from array.rows()
    else:
        raise ValueError(
            f"{array.path}: {array.key!r} has dtype {array.dtype}; images are uint8, bool, or float in [0, 1]"
        )


def vector_blocks(array: StoredArray) -> Iterator[np.ndarray]:
    """Yield the rows as float32, in pieces; ValueError for dtypes other than float, and values that are not finite."""
    if array.dtype.kind != "f":
        raise ValueError(
            f"{array.path}: {array.key!r} has shape {array.shape} and dtype {array.dtype}; two axes are vectors, "
            "which are float, and images have three axes or four"
        )
    start = 0
    for block in array.rows():
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
            vectors = block.astype(np.float32)
        _check_values(array, block, ~np.isfinite(vectors), start, "that float32 cannot hold")
        yield vectors
        start += len(block)


def _rounded(array: StoredArray) -> Iterator[np.ndarray]:
    start = 0
    for block in array.rows():
        rounding = rounding_of(block.dtype)
        is_inside = (block >= -rounding) & (block <= 1 + rounding)  # NaN is neither
        _check_values(array, block, ~is_inside, start, "outside [0, 1]")
        levels = np.rint(block.astype(np.promote_types(block.dtype, np.float32)) * 255)
        yield levels.clip(0, 255).astype(np.uint8)
        start += len(block)


def rounding_of(dtype: np.dtype) -> float:
    """Return by how much values in [0, 1] may pass its ends: sums of weights, as of a resize, are 1 to a few digits."""
    return max(1e-5, float(np.finfo(dtype).eps))


def _check_values(array: StoredArray, block: np.ndarray, is_invalid: np.ndarray, start: int, problem: str) -> None:
    if is_invalid.any():
        position = tuple(np.argwhere(is_invalid)[0])
        raise ValueError(
            f"{array.path}: row {start + position[0]} of {array.key!r} has the value {block[position]:.9g} {problem}"
        )
