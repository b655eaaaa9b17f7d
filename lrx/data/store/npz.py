"""Arrays inside an npz file, read as a stream or located for a memory map; never unpickled.

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
PIECE_BYTES = 8 << 20
FORTRAN_BYTES = 2 << 30  # at most, of an array in Fortran order in an npz; npy files are mapped whatever their order
LOCAL_HEADER = 30  # bytes, before the name and the extra field, whose lengths are its last two numbers


@dataclass(frozen=True)
class Stored:
    """Place of an array that lies uncompressed in its npz.

    offset: of its first byte in the file. header_crc, crc: the CRC-32 of the npy header, and of header and array.
    """

    offset: int
    header_crc: int
    crc: int


def read_rows(path: Path, member: str, *, shape: tuple[int, ...], dtype: str, num_rows: int) -> Iterator[np.ndarray]:
    """Yield the array `member` in pieces of `num_rows` rows; one in Fortran order, whose rows lie apart, is read first.

    ValueError in one line when the file is not a whole npz, has no such member, or the member has another shape or
    dtype, is longer or shorter than its shape says, or is in Fortran order and larger than FORTRAN_BYTES. Objects are
    refused by their dtype, unread.
    """
    with _open_array(path, member, shape, dtype) as (_, stream, fortran_order):
        if fortran_order:
            array = _read_fortran(stream, path, member, shape, np.dtype(dtype))
            yield from (array[start : start + num_rows] for start in range(0, shape[0], num_rows))
        else:
            row_bytes = math.prod(shape[1:]) * np.dtype(dtype).itemsize
            for start in range(0, shape[0], num_rows):
                rows = min(num_rows, shape[0] - start)
                data = stream.read(rows * row_bytes)
                if len(data) < rows * row_bytes:
                    raise ValueError(f"{path} is cut off: {member!r} ends before row {start + rows}")
                yield np.frombuffer(data, dtype=dtype).reshape(rows, *shape[1:])
        stream.read(1)  # reading to the end makes zipfile check the member's checksum


def read_header(path: Path, member: str) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape and dtype of the array `member`; ValueError as in `read_rows`. Reads nothing else."""
    with _open_member(path, member) as (info, stream):
        shape, _, dtype = _header(info, stream, path, member)
        return shape, dtype


def find_stored(path: Path, member: str, *, shape: tuple[int, ...], dtype: str) -> Stored | None:
    """Locate the array `member` for a memory map; None when it is compressed or in Fortran order. Reads headers alone.

    ValueError as in `read_rows`.
    """
    with _open_array(path, member, shape, dtype) as (info, stream, fortran_order):
        if info.compress_type != ZIP_STORED or fortran_order:
            return None
        header_bytes = stream.tell()
    with open(path, "rb") as file:
        file.seek(info.header_offset + LOCAL_HEADER - 4)
        name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))  # the central directory has an extra of its own
        file.seek(name_bytes + extra_bytes, 1)
        header_crc = zlib.crc32(file.read(header_bytes))
        return Stored(offset=file.tell(), header_crc=header_crc, crc=info.CRC)


def _read_fortran(stream: IO[bytes], path: Path, member: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Read a whole array in Fortran order, such as `np.indices(sizes).reshape(len(sizes), -1).T`."""
    num_bytes = math.prod(shape) * dtype.itemsize
    if num_bytes > FORTRAN_BYTES:
        raise ValueError(
            f"{path}: {member!r} is in Fortran order, and with {num_bytes:,} bytes too large to be put in order in "
            "memory; save np.ascontiguousarray of it, or save it with np.save as an npy file, which is mapped"
        )
    array = np.empty(num_bytes, dtype=np.uint8)
    read = 0
    while read < num_bytes and (data := stream.read(min(num_bytes - read, PIECE_BYTES))):
        array[read : read + len(data)] = np.frombuffer(data, dtype=np.uint8)
        read += len(data)
    if read < num_bytes:
        raise ValueError(f"{path} is cut off: {member!r} ends after {read:,} of {num_bytes:,} bytes")
    return array.view(dtype).reshape(shape, order="F")


@contextmanager
def _open_array(
    path: Path, member: str, shape: tuple[int, ...], dtype: str
) -> Iterator[tuple[ZipInfo, IO[bytes], bool]]:
    """Yield the directory entry of an array, the stream of its values, and whether they are in Fortran order."""
    with _open_member(path, member) as (info, stream):
        stored_shape, fortran_order, stored_dtype = _header(info, stream, path, member)
        if (stored_shape, stored_dtype) != (shape, np.dtype(dtype)):
            raise ValueError(
                f"{path}: {member!r} has shape {stored_shape} and dtype {stored_dtype}, not {shape} and {dtype}"
            )
        yield info, stream, fortran_order


@contextmanager
def _open_member(path: Path, member: str) -> Iterator[tuple[ZipInfo, IO[bytes]]]:
    """Yield the directory entry of an array, and the stream of its npy file."""
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


def _header(info: ZipInfo, stream: IO[bytes], path: Path, member: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read shape, whether in Fortran order, and dtype from the npy header, and compare the size that follows."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"npy version {version}")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(stream)
    except BAD_HEADER as error:
        raise ValueError(f"{path}: the header of {member!r} cannot be read: {str(error).splitlines()[0]}") from error
    # by the directory of the zip file: a packed array is known to be short before room is asked for the whole
    array_bytes, announced = info.file_size - stream.tell(), math.prod(shape) * dtype.itemsize
    if array_bytes != announced and not dtype.hasobject:
        raise ValueError(
            f"{path}: {member!r} has {array_bytes:,} bytes, not the {announced:,} that its shape {shape} says"
        )
    return shape, fortran_order, dtype
