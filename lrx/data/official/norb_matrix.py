"""Binary matrix of the NORB data sets: magic number, number of axes, sizes, then the values, all little endian.

At least three sizes are stored, those beyond the axes being 1, and the last axis is fastest. Source: section "File
format" of https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np

DTYPES = {0x1E3D4C51: "<f4", 0x1E3D4C53: "<f8", 0x1E3D4C54: "<i4", 0x1E3D4C55: "|u1", 0x1E3D4C56: "<i2"}
GZIP = b"\x1f\x8b"
LEAST_SIZES, MOST_AXES = 3, 8
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)


def read_rows(path: Path, *, shape: tuple[int, ...], dtype: str, num_rows: int) -> Iterator[np.ndarray]:
    """Yield the matrix in pieces of `num_rows` rows, from a file as published, with gzip, or unpacked.

    ValueError in one line for another file, shape or dtype, and for one that is damaged or cut off.
    """
    with open(path, "rb") as plain:
        packed = plain.read(len(GZIP)) == GZIP
    with gzip.open(path) if packed else open(path, "rb") as opened:
        stream = cast(IO[bytes], opened)
        _check_header(stream, path, shape, np.dtype(dtype))
        row_bytes = math.prod(shape[1:]) * np.dtype(dtype).itemsize
        for start in range(0, shape[0], num_rows):
            rows = min(num_rows, shape[0] - start)
            data = _read(stream, path, rows * row_bytes)
            yield np.frombuffer(data, dtype=dtype).reshape(rows, *shape[1:])
        if _read(stream, path, 1, last=True):
            raise ValueError(f"{path} holds more bytes than its shape {shape} says")


def _check_header(stream: IO[bytes], path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    magic, num_axes = struct.unpack("<II", _read(stream, path, 8))
    if magic not in DTYPES or not 1 <= num_axes <= MOST_AXES:
        raise ValueError(f"{path} is not a NORB matrix: it begins with {magic:#010x}, not with {min(DTYPES):#x} or so")
    num_sizes = max(LEAST_SIZES, num_axes)
    sizes = struct.unpack(f"<{num_sizes}I", _read(stream, path, 4 * num_sizes))[:num_axes]
    if (sizes, np.dtype(DTYPES[magic])) != (shape, dtype):
        raise ValueError(f"{path} has shape {sizes} and dtype {np.dtype(DTYPES[magic])}, not {shape} and {dtype}")


def _read(stream: IO[bytes], path: Path, num_bytes: int, *, last: bool = False) -> bytes:
    """Read so many bytes; at the end, where gzip checks its checksum, fewer will do."""
    try:
        data = stream.read(num_bytes)
    except BROKEN as error:
        raise ValueError(f"{path} is damaged or cut off: {error}") from error
    if len(data) < num_bytes and not last:
        raise ValueError(f"{path} is cut off: {len(data):,} of the next {num_bytes:,} bytes are there")
    return data
