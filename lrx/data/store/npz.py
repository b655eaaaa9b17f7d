"""Arrays inside an npz file, read as a stream or found for a memory map: never whole in memory, never unpickled.

Source of the layout: PKWARE, APPNOTE 6.3.10, sections 4.3.7 (local file header) and 4.4.4.
"""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

BROKEN = (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error, lzma.LZMAError)  # zipfile's
BAD_HEADER = (ValueError, tokenize.TokenError, OverflowError)  # what numpy raises for an npy header
LOCAL_HEADER = 30  # bytes, before the name and the extra field, whose lengths are its last two numbers


@dataclass(frozen=True)
class Stored:
    """An array that lies uncompressed in its npz.

    offset: of its first byte in the file. header_crc, crc: the CRC-32 of the npy header, and of header and array.
    """

    offset: int
    header_crc: int
    crc: int


def read_rows(path: Path, member: str, *, shape: tuple[int, ...], dtype: str, num_rows: int) -> Iterator[np.ndarray]:
    """The array `member` in pieces of `num_rows` rows.

    ValueError in one line when the file is not a whole npz, has no such member, or the member has another shape or
    dtype. Objects are refused by their dtype, before a byte of them is read.
    """
    with _opened(path, member, shape, dtype) as (_, stream):
        row_bytes = math.prod(shape[1:]) * np.dtype(dtype).itemsize
        for start in range(0, shape[0], num_rows):
            rows = min(num_rows, shape[0] - start)
            data = stream.read(rows * row_bytes)
            if len(data) < rows * row_bytes:
                raise ValueError(f"{path} is cut off: {member!r} ends before row {start + rows}")
            yield np.frombuffer(data, dtype=dtype).reshape(rows, *shape[1:])
        if stream.read(1):  # reading to the end makes zipfile check the member's checksum
            raise ValueError(f"{path} holds more bytes of {member!r} than its shape {shape} says")


def read_header(path: Path, member: str) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and dtype of the array `member`; ValueError as in `read_rows`. Reads nothing else."""
    with _member(path, member) as (_, stream):
        shape, _, dtype = _header(stream, path, member)
        return shape, dtype


def find_stored(path: Path, member: str, *, shape: tuple[int, ...], dtype: str) -> Stored | None:
    """Where the array `member` lies, for a memory map; None when it is compressed. Reads nothing but headers.

    ValueError as in `read_rows`, and when the member is longer or shorter than its shape says.
    """
    with _opened(path, member, shape, dtype) as (info, stream):
        if info.compress_type != ZIP_STORED:
            return None
        header_bytes, array_bytes = stream.tell(), math.prod(shape) * np.dtype(dtype).itemsize
        if info.file_size != header_bytes + array_bytes:
            raise ValueError(
                f"{path}: {member!r} has {info.file_size - header_bytes} bytes, "
                f"not the {array_bytes} that its shape {shape} says"
            )
    with open(path, "rb") as file:
        file.seek(info.header_offset + LOCAL_HEADER - 4)
        name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))  # the central directory has an extra of its own
        file.seek(name_bytes + extra_bytes, 1)
        header_crc = zlib.crc32(file.read(header_bytes))
        return Stored(offset=file.tell(), header_crc=header_crc, crc=info.CRC)


@contextmanager
def _opened(path: Path, member: str, shape: tuple[int, ...], dtype: str) -> Iterator[tuple[ZipInfo, IO[bytes]]]:
    """The directory entry of an array, and the stream of its values, after a check of its npy header."""
    with _member(path, member) as (info, stream):
        _check_header(stream, path, member, shape, dtype)
        yield info, stream


@contextmanager
def _member(path: Path, member: str) -> Iterator[tuple[ZipInfo, IO[bytes]]]:
    """The directory entry of an array, and the stream of its npy file."""
    try:
        with ZipFile(path) as archive:
            if f"{member}.npy" not in archive.namelist():
                raise ValueError(f"{path} has no array {member!r}; it holds {', '.join(sorted(archive.namelist()))}")
            info = archive.getinfo(f"{member}.npy")
            if info.header_offset < 0:  # what the directory at the end says of the bytes before it
                raise BadZipFile(f"{-info.header_offset} bytes are missing")
            with archive.open(info) as stream:
                yield info, stream
    except (*BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the system, which names the file; without a number it is bzip2's word for damage
        raise ValueError(f"{path} is not a whole npz file: {error}") from error


def _check_header(stream: IO[bytes], path: Path, member: str, shape: tuple[int, ...], dtype: str) -> None:
    """ValueError unless the npy header announces this shape and dtype in C order."""
    found_shape, fortran_order, found_dtype = _header(stream, path, member)
    if (found_shape, found_dtype, fortran_order) != (shape, np.dtype(dtype), False):
        order = " in Fortran order" if fortran_order else ""
        raise ValueError(
            f"{path}: {member!r} has shape {found_shape} and dtype {found_dtype}{order}, not {shape} and {dtype}"
        )


def _header(stream: IO[bytes], path: Path, member: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran order, and dtype, from the npy header."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"npy version {version}")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(stream)
    except BAD_HEADER as error:
        raise ValueError(f"{path}: the header of {member!r} cannot be read: {str(error).splitlines()[0]}") from error
    return shape, fortran_order, dtype
