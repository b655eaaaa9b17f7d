"""Data sets in memory: arrays, tensors and torch data sets of one's own as data sets of lrx."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from lrx.core.types import Dataset
from lrx.core.validation import SettingError
from lrx.data.store.array_file import rounding_of
from lrx.data.store.class_labels import check_classes, with_classes
from lrx.data.store.pixels import PixelStore
from lrx.data.torch_items import TorchItems, label_classes, to_numpy

KINDS = "a numpy array, a tensor, a torch data set or a data set of lrx"
AXES = "(N, H, W), (N, H, W, C) or (N, C, H, W), and vectors (N, P)"
CHANNELS = (1, 3)
BLOCK_BYTES = 64 << 20  # hashed at a time
IN_MEMORY_BYTES = 2 << 30  # of a torch data set; of a larger one, items are read when they are asked for


def as_dataset(
    images: object, *, name: str = "images", classes: object = None, class_names: Sequence[str] | None = None
) -> Dataset:
    """Return images or vectors of one's own as a data set of lrx.

    images: a numpy array or a tensor of uint8, bool, or float in [0, 1], with the axes (N, H, W), (N, H, W, C) or
        (N, C, H, W), where C is 1 or 3; or float vectors (N, P) in their own units. Where it is uint8 or float32 it is
        not copied: leave it unchanged. Images of 0 and 1 alone, of uint8 or bool, become 0 and 255. Images of which C,
        H and W are all 1 or 3 are taken as (N, C, H, W).
        Or a map-style torch data set, whose items are such images or vectors without the axis N, or (image, label,
        ...). All are read once; up to 2 GiB they stay in memory, of more they are read again when asked for.
        Or a data set of lrx, which is returned as it is.
    name: of the data set, as results show it.
    classes: whole numbers from 0, (N,) or (N, F). If each combination is there once, the data set is a full grid of
        factors, sorted by them; otherwise they are labels. None takes the labels of a torch data set where they are
        whole numbers from 0.
    class_names: of the F columns of classes; None for factor_1, factor_2, ...
    Its fingerprint is the SHA-256 of the observations, images as (N, H, W, C): that of uint8 images is the same as
    from a file, see lrx.data.arrays. ValueError in one line for anything else.
    """
    if isinstance(images, Dataset):
        if classes is not None or class_names is not None:
            raise SettingError(f"classes go with an array; {images.name} is a data set of lrx, with classes of its own")
        return images
    pixels: PixelStore
    class_values = None
    if classes is not None:
        listed = np.array(classes) if isinstance(classes, list | tuple) else classes
        class_values = _array(listed, "classes", "whole numbers, as an array, a tensor or a list")
    if isinstance(images, TorchDataset):
        items, labels = TorchItems(images), list[object]()
        items.check_repeatable()
        source, note = f"torch data set {items.name}", ""
        if items.num_bytes <= IN_MEMORY_BYTES:
            pixels, note = convert(items.read(range(len(items)), labels))
            fingerprint = _fingerprint(map(_channels_last, _blocks(pixels)))
        else:
            pixels = LazyPixels(items)
            fingerprint = _fingerprint(pixels.first_reading(labels))
        class_values = label_classes(labels) if class_values is None else class_values
    else:
        source = "array in memory"
        pixels, note = convert(_array(images, "images", KINDS))
        fingerprint = _fingerprint(map(_channels_last, _blocks(pixels)))
    if class_values is None and class_names is not None:
        raise SettingError("class_names names the columns of classes: give classes too")
    known_classes = None
    if class_values is not None:
        known_classes = check_classes(
            class_values, class_names, num_rows=len(pixels), what=("", "classes"), setting="class_names"
        )
    return with_classes(known_classes, name=name, source=source + note, fingerprint=fingerprint, pixels=pixels)


def convert(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Convert to uint8 or float32, (N, C, H, W) or (N, P); return also what was done to the values, for `source`."""
    observations = to_observations(channels_first(values))
    is_binary = observations.dtype == np.uint8 and (values.dtype == np.bool_ or observations.max() <= 1)
    if is_binary and values.dtype != np.bool_:
        observations = observations * np.uint8(255)
    return observations, ", values 0 and 1 taken as 0 and 255" if is_binary else ""


def channels_first(values: np.ndarray) -> np.ndarray:
    """Return a view (N, C, H, W) of images, or vectors (N, P) as they are; ValueError for axes that are neither."""
    given = f"images have shape {values.shape}"
    if 0 in values.shape:
        raise ValueError(f"{given} and are empty; give at least one, of the axes {AXES}")
    if values.ndim == 2:
        return values
    if values.ndim == 3:
        if values.shape[2] in (*CHANNELS, 4) and values.shape[1] > 4:
            raise ValueError(
                f"{given}, which looks like one image (H, W, C); give images[None] for one image, or "
                f"images[..., None] for {values.shape[0]} grey images of width {values.shape[2]}"
            )
        return values[:, None]
    if values.ndim != 4:
        raise ValueError(f"{given}; the axes of images are {AXES}")
    is_first, is_last = values.shape[1] in CHANNELS, values.shape[3] in CHANNELS
    if is_first and is_last and values.shape[2] not in CHANNELS:
        raise ValueError(
            f"{given}, which may be (N, C, H, W) or (N, H, W, C): where axis 1 holds the channels give "
            "images.transpose(0, 2, 3, 1), where axis 3 does, images.transpose(0, 3, 1, 2) (of tensors, permute)"
        )
    if is_first:
        return values
    if is_last:
        return values.transpose(0, 3, 1, 2)
    remedy = f"the axes of images are {AXES}, where C is 1 or 3"
    if 4 in (values.shape[1], values.shape[3]):
        rgb = "images[..., :3]" if values.shape[3] == 4 else "images[:, :3]"
        remedy = f"four channels are RGBA: leave out the transparency, as {rgb}"
    raise ValueError(f"{given}; {remedy}")


def to_observations(values: np.ndarray) -> np.ndarray:
    """Return observations (N, C, H, W) or (N, P) as uint8 or float32; bool becomes 0 and 255.

    ValueError for another dtype, for images outside [0, 1], and for values that are not finite.
    """
    is_vectors = values.ndim == 2
    if values.dtype == np.uint8 and not is_vectors:
        return values
    if values.dtype == np.bool_ and not is_vectors:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind != "f":
        raise ValueError(_dtype_message(values, is_vectors))
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        converted = values.astype(np.float32, copy=False)
    low, high = float(converted.min()), float(converted.max())
    if not np.isfinite([low, high]).all():
        row = int(np.flatnonzero(~np.isfinite(converted).reshape(len(converted), -1).all(axis=1))[0])
        raise ValueError(f"images have values that are not finite (NaN or infinite), first at index {row}; remove them")
    if is_vectors or (low >= 0 and high <= 1):
        return converted
    if low >= -rounding_of(values.dtype) and high <= 1 + rounding_of(values.dtype):
        return converted.clip(0, 1)
    if low >= -1 and high <= 1:
        remedy = "give (images + 1) / 2 if they were scaled to [-1, 1]"
    elif low >= 0 and high <= 255:
        remedy = "give images / 255 if they are pixels of 0 to 255"
    else:
        remedy = "scale them, or leave out the transform that standardises them"
    raise ValueError(f"images have float values from {low:.7g} to {high:.7g}, which must be in [0, 1]; {remedy}")


def _dtype_message(values: np.ndarray, is_vectors: bool) -> str:
    given = f"images have shape {values.shape} and dtype {values.dtype}"
    if is_vectors:
        return f"{given}; vectors (N, P) are float, and images have the axes {AXES}"
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= 255:
        return f"{given}; images are uint8, bool, or float in [0, 1]: give images.astype(np.uint8) (a tensor's .byte())"
    return f"{given}; images are uint8, bool, or float in [0, 1]"


class LazyPixels:
    """Images or vectors of a torch data set, read when they are asked for."""

    def __init__(self, items: TorchItems) -> None:
        self._items = items

    def __len__(self) -> int:
        """Return the number of observations."""
        return len(self._items)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return observations uint8 or float32 (B, C, H, W) or (B, P) at indices int64 (B,)."""
        return to_observations(channels_first(self._items.read(indices)))

    def first_reading(self, labels: list[object]) -> Iterator[np.ndarray]:
        """Yield all observations in blocks, channels last, and collect their labels.

        ValueError at the end where uint8 images hold 0 and 1 alone, which are no levels of 255.
        """
        rows = max(1, BLOCK_BYTES * len(self) // self._items.num_bytes)
        highest = 0.0
        for start in range(0, len(self), rows):
            block = self._items.read(range(start, min(start + rows, len(self))), labels)
            highest = max(highest, float(block.max()))
            yield _channels_last(to_observations(channels_first(block)))
        if self._items.dtype == np.uint8 and highest <= 1:
            raise ValueError(f"the images of {self._items.name} are uint8 of 0 and 1 alone; give them as bool")


def _array(values: object, name: str, kinds: str) -> np.ndarray:
    """Return an array or tensor as a numpy array; ValueError that names the remedy for other kinds."""
    array = to_numpy(values)
    remedy = ""
    if isinstance(values, list | tuple):
        remedy = f"; give one array, as np.stack({name})"
    elif isinstance(values, DataLoader):
        remedy = "; give the data set of the loader, loader.dataset"
    elif isinstance(values, str) or hasattr(values, "__fspath__"):
        remedy = "; read the file first, as np.load(path)"
    if array is None:
        raise ValueError(f"{name} must be {kinds}, not a {type(values).__name__}{remedy}")
    if array.dtype.hasobject:
        raise ValueError(f"{name} are an array of objects, such as arrays of several sizes; give one array of numbers")
    return array


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, BLOCK_BYTES * len(values) // max(1, values.nbytes))
    return (values[start : start + rows] for start in range(0, len(values), rows))


def _channels_last(block: np.ndarray) -> np.ndarray:
    return np.moveaxis(block, 1, -1) if block.ndim == 4 else block


def _fingerprint(blocks: Iterator[np.ndarray]) -> str:
    content = hashlib.sha256()
    for block in blocks:
        content.update(np.ascontiguousarray(block).data)
    return content.hexdigest()
