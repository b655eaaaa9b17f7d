"""Cars3D's MATLAB files, one a car, from the official archive, which is never unpacked, or from its unpacked folder.

A file holds `im`, uint8 (128, 128, 3, azimuths, elevations), and `mask`, which is not read.
"""

from __future__ import annotations

import io
import re
import struct
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lrx.data.store.picture_files import natural_order

ARCHIVE, FOLDERS = "nips2015-analogy-data.tar.gz", ("cars", "data/cars")
MEMBER = re.compile(r"(?:.*/)?cars/(?P<name>[^/.][^/]*)\.mat")
LARGEST = 1 << 26  # bytes of one file; a car has 4.7 MB of pixels
SIDE = 128
BROKEN_TAR = (tarfile.TarError, EOFError, zlib.error)
BROKEN_MAT = (ValueError, TypeError, KeyError, IndexError, NotImplementedError, EOFError, struct.error, zlib.error)


def cars(path: Path, *, num_elevations: int, num_azimuths: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each car and its images uint8 (elevations, azimuths, 128, 128, 3): a folder in natural order.

    ValueError in one line for an archive that is damaged or cut off, and for a file that holds no such images.
    """
    shape = (SIDE, SIDE, 3, num_azimuths, num_elevations)
    for name, data in _folder(path) if path.is_dir() else _archive(path):
        yield name, _images(data, f"{path}: {name}.mat", shape).transpose(4, 3, 0, 1, 2)


def folder_files(path: Path) -> list[Path]:
    """Return the MATLAB files of an unpacked folder in natural order, without hidden ones."""
    files = {file.name: file for file in path.glob("*.mat") if not file.name.startswith(".")}
    return [files[name] for name in natural_order(files)]


def _folder(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in folder_files(path):
        _check_size(str(file), file.stat().st_size)
        yield file.stem, file.read_bytes()


def _archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents in the order of the archive, of which no more than one file is in memory."""
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                match = MEMBER.fullmatch(member.name)
                if match is None or not member.isfile():
                    continue
                _check_size(f"{path}: {member.name}", member.size)
                stream = archive.extractfile(member)
                assert stream is not None, member
                yield match["name"], stream.read()
    except (*BROKEN_TAR, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the system, which names the file; without a number it is gzip's word for damage
        raise ValueError(f"{path} is damaged or cut off: {error}") from error


def _check_size(name: str, num_bytes: int) -> None:
    if num_bytes > LARGEST:
        raise ValueError(f"{name} has {num_bytes:,} bytes, more than the file of any car: refused")


def _images(data: bytes, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Read the array `im`; ValueError unless it has this shape and dtype, which its header says before it is read."""
    from scipy.io import loadmat, matlab, whosmat

    try:
        arrays = {key: (size, kind) for key, size, kind in whosmat(io.BytesIO(data))}
        if arrays.get("im") == (shape, "uint8"):
            images: np.ndarray = loadmat(io.BytesIO(data), variable_names=["im"])["im"]
            return images
    except (*BROKEN_MAT, OSError, matlab.MatReadError) as error:
        raise ValueError(f"{name} is not a whole MATLAB file: {str(error).splitlines()[0]}") from error
    has = ", ".join(f"{key} {kind} {size}" for key, (size, kind) in arrays.items()) or "nothing"
    raise ValueError(f"{name} has no array im uint8 {shape}; it holds {has}")
