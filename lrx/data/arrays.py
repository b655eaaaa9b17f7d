"""Your own array of images or vectors, with classes or without, from an npz, npy or HDF5 file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lrx.core.checksum import sha256
from lrx.core.factors import FactorSpace
from lrx.core.paths import expand_user
from lrx.core.validation import SettingError, check_choice
from lrx.data.column_names import read_column_names
from lrx.data.labelled import StoreDataset
from lrx.data.store.array_file import StoredArray, find_array, pixel_blocks, vector_blocks
from lrx.data.store.cache import Cache, Origin, Progress, Recipe, open_or_convert
from lrx.data.store.class_labels import read_classes, with_classes
from lrx.data.store.pixels import MappedPixels, MappedRows

NAME = "arrays"
LAYOUTS = {"channels_first": 1, "channels_last": 3}  # the axis of the channels
CHANNELS = (1, 3)
NO_FACTORS = FactorSpace(names=(), sizes=())


def arrays(
    *,
    root: str,
    path: str,
    images: str,
    layout: str,
    classes: str | None,
    factor_names: Sequence[str] | None,
    names: str | Sequence[str] | None = None,
    progress: Progress | None = None,
) -> StoreDataset:
    """Return the observations of an array file: images (C, H, W) or vectors (P,).

    root: they are kept in `root/converted`, uncompressed, and converted anew when the file changes.
    path: of the file. images: the name of its array, of no effect for npy, which holds one: uint8 (of 0 to 255, or of 0
        and 1 alone, which become 0 and 255), bool, or float in [0, 1] (which is rounded to uint8), with the axes
        (N, H, W), (N, H, W, C) or (N, C, H, W); or float vectors (N, P), taken as float32.
    layout: of four axes: "channels_first", "channels_last", or "auto" for the one of 1 or 3 channels.
    classes: the name of an array of whole numbers (N, F) or (N,), from 0; None for no classes. If each combination is
        there once, the data set is a full grid, in whatever order it is stored; otherwise its classes are labels.
    factor_names: of the F columns of classes; None for factor_1, factor_2, ..., or of one column the array's own name.
    names: of the P columns of vectors, such as genes: a list, or the name of an array of texts; None for none.
    progress: called with (rows done, rows in all).
    ValueError for arrays that are not as described, FileNotFoundError where there is no file, OSError where the
    observations cannot be kept.
    """
    file = Path(os.path.realpath(expand_user(path)))  # which, unlike pathlib, raises nothing
    array = find_array(file, images)
    axis = _channel_axis(array, layout)
    class_labels = read_classes(file, classes, factor_names, num_rows=array.shape[0])

    column_names = read_column_names(file, names, shape=array.shape)
    status = file.stat()
    what = f"array {images} of {file}, channels on axis {axis}"
    origin = Origin(details=f"{what}, {status.st_size} bytes, changed {status.st_mtime_ns}")
    stem = expand_user(root) / "converted" / f"{file.stem}-{sha256(what)[:12]}"
    open_them = _open_vectors if len(array.shape) == 2 else _open_images
    cache, pixels = open_them(array, axis, stem, origin, progress)
    source = ", ".join((f"array {images!r} of {file.name}", *cache.notes))
    made = with_classes(class_labels, name=file.stem, source=source, fingerprint=cache.fingerprint, pixels=pixels)
    made.column_names = column_names
    return made


class MappedVectors:
    """Vectors: a file of float32 (N, P), memory-mapped and read by rows."""

    def __init__(self, path: Path, *, shape: tuple[int, ...]) -> None:
        """Map the file, whose size must be that of `shape`."""
        self._rows = MappedRows(path, shape=(shape[0], shape[1] * np.dtype(np.float32).itemsize))

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self._rows)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return vectors float32 (B, P) at indices int64 (B,)."""
        return self._rows[indices].view(np.float32)


def _open_vectors(
    array: StoredArray, axis: int, stem: Path, origin: Origin, progress: Progress | None
) -> tuple[Cache, MappedVectors]:
    recipe = Recipe(NAME, array.shape, "float32", NO_FACTORS, origin)
    cache = open_or_convert(stem, recipe, lambda: vector_blocks(array), progress=progress)
    return cache, MappedVectors(cache.pixels, shape=array.shape)


def _open_images(
    array: StoredArray, axis: int, stem: Path, origin: Origin, progress: Progress | None
) -> tuple[Cache, MappedPixels]:
    channels = array.shape[axis : axis + 1] or (1,)  # three axes: one channel, on an axis of its own
    height, width = (array.shape[place] for place in range(1, len(array.shape)) if place != axis)
    shape = (array.shape[0], height, width, *channels)
    notes: list[str] = []

    def blocks() -> Iterator[np.ndarray]:
        for block in pixel_blocks(array, notes):
            yield block[..., None] if block.ndim == 3 else np.moveaxis(block, axis, 3)

    recipe = Recipe(NAME, shape, "uint8", NO_FACTORS, origin)
    cache = open_or_convert(stem, recipe, blocks, progress=progress, notes=notes)
    return cache, MappedPixels(cache.pixels, shape=(array.shape[0], height, width, channels[0]))


def _channel_axis(array: StoredArray, layout: str) -> int:
    """Return the axis of the channels; 3, which is one too many, for arrays of three axes or fewer, which have none."""
    check_choice("layout", layout, ("auto", *LAYOUTS))
    what = f"{array.path}: {array.key!r} has shape {array.shape}"
    if len(array.shape) not in (2, 3, 4) or 0 in array.shape:
        raise ValueError(f"{what}, not that of vectors (N, P) or images (N, H, W), (N, H, W, C) or (N, C, H, W)")
    if len(array.shape) < 4:
        return 3
    fitting = [axis for axis in LAYOUTS.values() if array.shape[axis] in CHANNELS]
    if layout == "auto":
        if len(fitting) == 2:
            raise ValueError(f"{what}, both (N, C, H, W) and (N, H, W, C); set dataset.layout={' or '.join(LAYOUTS)}")
        if not fitting:
            raise ValueError(f"{what}, and neither axis 1 nor axis 3 holds 1 or 3 channels")
        return fitting[0]
    if LAYOUTS[layout] not in fitting:
        channels = array.shape[LAYOUTS[layout]]
        raise SettingError(f"layout={layout} gives {channels} channels, which can be 1 or 3; {what}")
    return LAYOUTS[layout]
