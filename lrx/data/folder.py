"""Folder of your own images, with the names of its sub-folders as labels."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrx.core.checksum import sha256
from lrx.core.factors import FactorSpace
from lrx.core.paths import expand_user
from lrx.core.validation import SettingError
from lrx.data.labelled import LabelledDataset, PickedPixels, StoreDataset
from lrx.data.store.cache import Origin, Progress, Recipe, open_or_convert
from lrx.data.store.picture_stream import check_skipped, check_stream, stream
from lrx.data.store.pictures import Treatment, Unreadable, no_pixel_warnings, num_channels, open_picture, upright_size
from lrx.data.store.pixels import MappedPixels, PixelStore

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM")
NAME = "folder"
NO_FACTORS = FactorSpace(names=(), sizes=())


def folder(
    *,
    root: str,
    path: str,
    size: int | None,
    crop: int | str | None,
    channels: int | None,
    on_corrupt: str,
    progress: Progress | None = None,
) -> StoreDataset:
    """Return images (C, H, W) of a folder and its sub-folders, sorted by name, without hidden files.

    Where every image lies in a sub-folder, and there are at least two, the first folder on its way is its label
    `folder`, with the classes 0, 1, ... in the order of the names.
    root: the pixels are kept uncompressed in `root/converted`, made anew when an image comes, goes or changes.
    path: the folder. size, crop: as in lrx.data.store.pictures.Treatment.
    channels: 1 for grey, 3 for RGB; None takes what the first image has, and refuses the others.
    on_corrupt: "error" to stop at an unreadable image, "skip" to leave it out; `source` counts them.
    progress: called with (images done, images in all) while they are decoded.
    ValueError for images that do not go together, FileNotFoundError where there is no such folder, OSError where the
    pixels cannot be written.
    """
    check_stream(on_corrupt=on_corrupt, workers=None)
    if channels not in (None, 1, 3) or isinstance(channels, bool):
        raise SettingError(f"channels must be 1, 3 or null, not {channels!r}")
    treatment = Treatment(crop, size)
    directory = Path(os.path.realpath(expand_user(path)))  # which, unlike pathlib, raises nothing
    listing = _listing(directory)
    names = [file.name for file in listing]
    first = _first(directory, names, treatment, channels)

    description = f"{treatment.words}, {'grey' if first.shape[2] == 1 else 'RGB'}"
    listing_digest = sha256(repr(listing).encode(errors="surrogateescape"))
    shape = (len(names), *first.shape)
    recipe = Recipe(NAME, shape, "uint8", NO_FACTORS, Origin(details=f"files {listing_digest}, {description}"))
    key = sha256(f"{directory} {description}")[:12]
    stem = expand_user(root) / "converted" / f"{directory.name}-{key}"
    skipped: list[str] = []

    def blocks() -> Iterator[np.ndarray]:
        return stream(
            names,
            lambda name: _decode(directory, name, treatment, first, any_kind=channels is not None),
            shape=first.shape,
            on_corrupt=on_corrupt,
            skipped=skipped,
        )

    cache = open_or_convert(stem, recipe, blocks, progress=progress, notes=skipped)
    left_out = check_skipped(cache.notes, on_corrupt=on_corrupt)
    pixels: PixelStore = MappedPixels(cache.pixels, shape=shape)
    fingerprint = cache.fingerprint
    if left_out:
        unreadable = set(cache.notes)
        readable = PickedPixels(pixels, np.flatnonzero([name not in unreadable for name in names]))
        pixels, fingerprint = readable, readable.fingerprint(fingerprint)
        names = [name for name in names if name not in unreadable]
    source = f"images in {directory}, {description}{left_out}"
    return _with_folder_labels(directory.name, source, fingerprint, pixels, names)


@dataclass(frozen=True)
class File:
    """Listed image file: path below the folder, and size and modification time, which tell whether it has changed."""

    name: str
    num_bytes: int
    mtime_ns: int


def _refuse(error: OSError) -> None:
    raise error  # os.walk would pass over a folder that cannot be listed


@dataclass(frozen=True)
class FirstImage:
    """First readable image, which sets what all must be like. shape: (H, W, C) after the treatment."""

    name: str
    shape: tuple[int, int, int]


def _listing(directory: Path) -> list[File]:
    if directory.is_file():
        raise ValueError(
            f"{directory} is a file, and dataset=folder reads a folder of images; an array in an npz, npy or HDF5 "
            f"file is dataset=arrays dataset.path={directory}"
        )
    if not directory.is_dir():
        raise FileNotFoundError(f"there is no folder {directory}; name your images by dataset.path=...")
    listing = []
    for parent, folders, files in os.walk(directory, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                file = Path(parent) / name
                status = file.stat()
                if not stat.S_ISREG(status.st_mode):
                    raise ValueError(f"{file} is no regular file; remove it (a pipe would block whoever reads it)")
                listing.append(File(file.relative_to(directory).as_posix(), status.st_size, status.st_mtime_ns))
    if not listing:
        raise ValueError(f"there are no images in {directory}; they are known by their endings {', '.join(SUFFIXES)}")
    return sorted(listing, key=lambda file: file.name.split("/"))


def _first(directory: Path, names: list[str], treatment: Treatment, channels: int | None) -> FirstImage:
    for name in names:
        try:
            with no_pixel_warnings(), open_picture((directory / name).read_bytes(), name, formats=FORMATS) as picture:
                height, width = treatment.shape(upright_size(picture), name)
                return FirstImage(name, (height, width, channels or num_channels(picture)))
        except Unreadable:  # the stream meets it again, and does what on_corrupt says
            continue
    raise ValueError(f"none of the {len(names)} images in {directory} can be read; the first is {names[0]}")


def _decode(directory: Path, name: str, treatment: Treatment, first: FirstImage, *, any_kind: bool) -> np.ndarray:
    """Decode an image to uint8 first.shape; ValueError when it is of another size or kind than the first."""
    with open_picture((directory / name).read_bytes(), name, formats=FORMATS) as picture:
        height, width = treatment.shape(upright_size(picture), name)
        if (height, width) != first.shape[:2]:
            raise ValueError(
                f"{first.name} is {first.shape[1]} x {first.shape[0]} pixels and {name} is {width} x {height}; "
                "set dataset.size=64 (and dataset.crop=square), so that all become alike"
            )
        if not any_kind and num_channels(picture) != first.shape[2]:
            kinds = {1: "grey", 3: "in colour"}
            raise ValueError(
                f"{first.name} is {kinds[first.shape[2]]} and {name} is {kinds[num_channels(picture)]}; "
                "set dataset.channels=1 or dataset.channels=3"
            )
        return treatment.pixels(picture, name, channels=first.shape[2])


def _with_folder_labels(name: str, source: str, fingerprint: str, pixels: PixelStore, names: list[str]) -> StoreDataset:
    """Return the data set with the sub-folders as labels, if there are at least two."""
    parents = [file.split("/")[0] for file in names]
    values = {parent: code for code, parent in enumerate(dict.fromkeys(parents))}  # names come sorted
    if not all("/" in file for file in names) or len(values) == 1:
        return StoreDataset(name=name, source=source, fingerprint=fingerprint, pixels=pixels)
    return LabelledDataset(
        name=name,
        source=source,
        fingerprint=fingerprint,
        pixels=pixels,
        label_names=(NAME,),
        label_sizes=(len(values),),
        classes=np.array([[values[parent]] for parent in parents]),
    )
