"""CelebA's JPEGs, one at a time, from the official zip, which is never unpacked, or from its unpacked folder."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from lrx.data.store.pictures import Treatment, Unreadable, open_picture

FOLDER = "img_align_celeba"
WIDTH, HEIGHT = 178, 218
LARGEST = 1 << 20  # bytes of one JPEG; the genuine ones are far below
BROKEN = (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error)  # RuntimeError: encrypted


@contextmanager
def jpegs(path: Path, names: Sequence[str]) -> Iterator[Callable[[str], bytes]]:
    """Yield a function from the name of an image to its bytes, which several threads may call at once.

    path: the zip, or the folder; in either, the images may lie one folder of the same name deeper. names: of the
        images that must be there, and nothing else.
    ValueError for another zip or folder; the function raises Unreadable where the zip is damaged.
    """
    if path.is_dir():
        path = image_folder(path)
        present = (name for name in os.listdir(path) if not name.startswith("."))
        _check_names(path, set(present), set(names))
        yield lambda name: _small(name, (path / name).stat().st_size, (path / name).read_bytes)
        return
    try:
        archive = ZipFile(path)
    except BROKEN as error:
        raise ValueError(
            f"{path} is not a whole zip file, it may have been cut off on its way ({path.stat().st_size:,} bytes are "
            "there): fetch it again"
        ) from error
    with archive:
        members = {entry.filename: entry for entry in archive.infolist()}
        doubled = f"{FOLDER}/{FOLDER}"  # Kaggle's edition
        within = doubled if any(name.startswith(f"{doubled}/") for name in members) else FOLDER
        _check_names(path, members.keys() - {f"{FOLDER}/", f"{doubled}/"}, {f"{within}/{name}" for name in names})

        def read(name: str) -> bytes:
            entry = members[f"{within}/{name}"]
            try:
                with archive.open(entry) as stream:  # of a size that is given, zipfile inflates no more than that
                    return _small(name, entry.file_size, lambda: stream.read(entry.file_size))
            except BROKEN as error:
                raise Unreadable(f"{name} is damaged in {path}: {error}") from error

        yield read


def image_folder(path: Path) -> Path:
    """Return the folder of the images, which in Kaggle's edition lies in one of the same name."""
    return path / FOLDER if (path / FOLDER).is_dir() else path


def decode(data: bytes, name: str, treatment: Treatment) -> np.ndarray:
    """Decode a JPEG to uint8 (H, W, 3); ValueError unless it is 178 x 218 pixels, Unreadable when it is damaged."""
    with open_picture(data, name, formats=("JPEG",)) as picture:
        if picture.size != (WIDTH, HEIGHT):
            width, height = picture.size
            raise ValueError(
                f"{name} is {width} x {height} pixels, not {WIDTH} x {HEIGHT}: these are not the aligned images"
            )
        return treatment.pixels(picture, name, channels=3)


def refuse_web_page(path: Path) -> None:
    """Check that a file is no HTML page, which Google Drive sends in place of a file that many people fetch."""
    with open(path, "rb") as file:
        begin = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin.startswith(b"<"):
        raise ValueError(
            f"{path} is a web page, not the file: Google Drive sends a page when its quota is used up or it wants a "
            "confirmation; open the page in a browser, delete this file, and fetch the real one there, or a day later"
        )


def _small(name: str, num_bytes: int, read: Callable[[], bytes]) -> bytes:
    """Return the bytes of an image; ValueError for far more than a JPEG of this size has."""
    if num_bytes > LARGEST:
        raise ValueError(f"{name} has {num_bytes:,} bytes, more than any image of {WIDTH} x {HEIGHT} pixels: refused")
    return read()


def _check_names(path: Path, present: set[str], expected: set[str]) -> None:
    if present == expected:
        return
    surplus, missing = sorted(present - expected), sorted(expected - present)
    first = surplus[:1], missing[:1]
    problems = [f"{name!r} is not among them" for name in first[0]] + [f"{name!r} is missing" for name in first[1]]
    raise ValueError(
        f"{path} holds {len(present)} files, and the list of attributes names {len(expected)} images: "
        f"{', '.join(problems)}"
    )
