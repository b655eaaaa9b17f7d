"""Items of a torch data set as arrays: images or vectors, and the labels that come with them."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset

NUM_READ_TWICE = 5
PILLOW_MODES = ("1", "L", "RGB", "I", "I;16", "F")  # whose numbers are pixels; of P they are places in a palette


def to_numpy(values: object) -> np.ndarray | None:
    """Return an array, a tensor or a Pillow image as a numpy array, without a copy if possible; None for others.

    ValueError for a Pillow image whose numbers are no grey levels or RGB, and for an array that is masked in places.
    """
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    if isinstance(values, Image.Image) and values.mode not in PILLOW_MODES:
        raise ValueError(f"the Pillow image has the mode {values.mode}; give image.convert('RGB'), or 'L' for grey")
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):  # as netCDF4 gives what is missing
        first = np.argwhere(np.ma.getmaskarray(values))[0]
        raise ValueError(f"a masked array lacks the value at {tuple(first.tolist())}; leave out or fill what is masked")
    is_array = isinstance(values, np.ndarray | np.generic) or hasattr(values, "__array_interface__")
    return np.asarray(values) if is_array else None


class TorchItems:
    """Map-style torch data set, item by item: images, and labels where items are (image, label, ...).

    name: of its class, for messages. shape, dtype: of the first image, which all must have.
    """

    def __init__(self, dataset: TorchDataset[object]) -> None:
        """Read the first item. ValueError for a data set without indices or items."""
        self.name = type(dataset).__name__
        if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
            raise ValueError(f"{self.name} has no index or length; give a map-style torch data set, or an array")
        self._dataset, self._len = dataset, len(cast(Sized, dataset))
        if not self._len:
            raise ValueError(f"{self.name} is empty; give at least one image")
        first, _ = self._item(0)
        self.shape, self.dtype = first.shape, first.dtype

    def __len__(self) -> int:
        """Return the number of items."""
        return self._len

    @property
    def num_bytes(self) -> int:
        """Size of all images in memory."""
        return self._len * int(np.prod(self.shape)) * self.dtype.itemsize

    def read(self, indices: Iterable[int], labels: list[object] | None = None) -> np.ndarray:
        """Return the images of these indices in one array (B, *shape); their labels are appended to `labels`.

        ValueError for an image of another shape or dtype than the first.
        """
        images = []
        for index in indices:
            image, label = self._item(int(index))
            if (image.shape, image.dtype) != (self.shape, self.dtype):
                raise ValueError(
                    f"item {index} of {self.name} has shape {image.shape} and dtype {image.dtype}, and item 0 "
                    f"{self.shape} and {self.dtype}; resize or crop all alike"
                )
            images.append(image)
            if labels is not None:
                labels.append(label)
        return np.stack(images) if images else np.empty((0, *self.shape), self.dtype)

    def check_repeatable(self) -> None:
        """Read a few items twice; ValueError where an image differs, as with random transforms."""
        for index in np.unique(np.linspace(0, self._len - 1, NUM_READ_TWICE).astype(int)):
            first, second = (self.read([index]) for _ in range(2))
            if not np.array_equal(first, second, equal_nan=first.dtype.kind == "f"):
                raise ValueError(
                    f"item {index} of {self.name} differs from one reading to the next; leave out random transforms"
                )

    def _item(self, index: int) -> tuple[np.ndarray, object]:
        item = self._dataset[index]
        image, label = item, None
        if isinstance(item, tuple | list) and item:
            image, label = item[0], item[1] if len(item) > 1 else None
        try:
            array = to_numpy(image)
        except ValueError as error:
            raise ValueError(f"item {index} of {self.name}: {error}") from error
        if array is None or array.dtype.hasobject:
            kind = type(item).__name__ if image is item else f"tuple that begins with {type(image).__name__}"
            raise ValueError(
                f"item {index} of {self.name} is a {kind}; an item must be an image (tensor, array or Pillow image) or "
                "a tuple (image, label)"
            )
        return array, label


def label_classes(labels: list[object]) -> np.ndarray | None:
    """Return the labels of items as classes int64 (N,) or (N, F); None unless all are whole numbers from 0."""
    try:
        classes = np.stack([np.asarray(label) for label in labels])
    except (ValueError, TypeError, RuntimeError):  # of several shapes; a tensor on a device
        return None
    if classes.dtype.kind not in "iub" or classes.ndim > 2 or 0 in classes.shape or classes.min() < 0:
        return None
    return classes.astype(np.int64)
