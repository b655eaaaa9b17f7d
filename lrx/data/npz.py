"""Arrays inside an npz file, read as a stream: never whole in memory, never unpickled."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile

import numpy as np

BROKEN = (BadZipFile, EOFError, zlib.error)


def read_rows(path: Path, member: str, *, shape: tuple[int, ...], dtype: str, num_rows: int) -> Iterator[np.ndarray]:
    """The array `member` in pieces of `num_rows` rows.

    ValueError in one line when the file is not a whole npz, has no such member, or the member has another shape or
    dtype. Objects are refused by their dtype, before a byte of them is read.
    """
    try:
        with ZipFile(path) as archive:
            if f"{member}.npy" not in archive.namelist():
                raise ValueError(f"{path} has no array {member!r}; it holds {', '.join(sorted(archive.namelist()))}")
            with archive.open(f"{member}.npy") as stream:
                _check_header(stream, path, member, shape, dtype)
                row_bytes = int(np.prod(shape[1:])) * np.dtype(dtype).itemsize
                for start in range(0, shape[0], num_rows):
                    rows = min(num_rows, shape[0] - start)
                    data = stream.read(rows * row_bytes)
                    if len(data) < rows * row_bytes:
                        raise ValueError(f"{path} is cut off: {member!r} ends before row {start + rows}")
                    yield np.frombuffer(data, dtype=dtype).reshape(rows, *shape[1:])
                if stream.read(1):  # reading to the end makes zipfile check the member's checksum
                    raise ValueError(f"{path} holds more bytes of {member!r} than its shape {shape} says")
    except BROKEN as error:
        raise ValueError(f"{path} is not a whole npz file: {error}") from error


def _check_header(stream: IO[bytes], path: Path, member: str, shape: tuple[int, ...], dtype: str) -> None:
    """ValueError unless the npy header announces this shape and dtype in C order."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"npy version {version}")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        found_shape, fortran_order, found_dtype = read(stream)
    except ValueError as error:
        raise ValueError(f"{path}: the header of {member!r} cannot be read: {str(error).splitlines()[0]}") from error
    if (found_shape, found_dtype, fortran_order) != (shape, np.dtype(dtype), False):
        order = " in Fortran order" if fortran_order else ""
        raise ValueError(
            f"{path}: {member!r} has shape {found_shape} and dtype {found_dtype}{order}, not {shape} and {dtype}"
        )
