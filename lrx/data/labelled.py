"""Data sets over a store of images or vectors, with labels or without; lrx.data.grid has the full grids."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from lrx.core.checksum import sha256
from lrx.core.data_identity import fingerprint_with_classes
from lrx.data.store.pixels import PixelStore


class StoreDataset:
    """Dataset over a store of pixels or vectors.

    name, source, fingerprint: as in lrx.core.types.Dataset.
    pixels: uint8 images (C, H, W) or float32 vectors (P,), by index.
    Its `sample`, int64 (M,), names the images that training and evaluation draw from, see lrx.data.subset; None: all.
    observations_fingerprint: the fingerprint without known classes, see lrx.core.data_identity.
    class_names: by factor or label, the name of each class, where they have names.
    column_names: of the columns of vectors, such as genes; () where they have none.
    remark: what whoever opens it should know, such as what was left out; also part of `source`.
    """

    class_names: Mapping[str, tuple[str, ...]] = {}
    remark = ""
    column_names: tuple[str, ...] = ()

    def __init__(self, *, name: str, source: str, fingerprint: str, pixels: PixelStore) -> None:
        """Take the shape of the observations from the first one."""
        self.name = name
        self.source = source
        self.fingerprint = fingerprint
        self.observations_fingerprint = fingerprint
        self.sample: Tensor | None = None
        self.observation_shape: tuple[int, ...] = pixels[np.zeros(1, dtype=np.int64)].shape[1:]
        self.pixels = pixels

    def __len__(self) -> int:
        """Return the number of observations."""
        return len(self.pixels)

    def raw(self, indices: Tensor) -> Tensor:
        """Return images uint8 (B, C, H, W) or vectors float32 (B, P) at indices int64 (B,), on the CPU.

        IndexError outside 0 .. len - 1.
        """
        return torch.from_numpy(self.pixels[self._checked(indices)])

    def _checked(self, indices: Tensor) -> np.ndarray:
        if indices.numel() and (indices.min() < 0 or indices.max() >= len(self)):
            outside = indices[(indices < 0) | (indices >= len(self))][0]
            raise IndexError(f"no image {int(outside)} in {self.name}: indices run from 0 to {len(self) - 1}")
        return indices.cpu().numpy()


class LabelledDataset(StoreDataset):
    """StoreDataset whose observations carry L labels each, as in lrx.core.types.Labelled.

    classes: whole numbers (N, L); those of label l run from 0 to label_sizes[l] - 1. They, the names and the sizes are
        part of the fingerprint; the one given is that of the observations.
    partition: int64 (N,), the official split codes 0 train, 1 validation, 2 test; None where there are none, and then
        the data set has no such attribute, which is how lrx.data.splits tells.
    """

    partition: Tensor

    def __init__(
        self,
        *,
        name: str,
        source: str,
        fingerprint: str,
        pixels: PixelStore,
        label_names: tuple[str, ...],
        label_sizes: tuple[int, ...],
        classes: np.ndarray,
        partition: Tensor | None = None,
    ) -> None:
        """Keep the classes in the dtype in which they come."""
        super().__init__(name=name, source=source, fingerprint=fingerprint, pixels=pixels)
        assert classes.shape == (len(pixels), len(label_names)), (classes.shape, len(pixels), label_names)
        assert len(label_sizes) == len(label_names), (label_sizes, label_names)
        assert partition is None or partition.shape == (len(pixels),), (partition, len(pixels))
        self.label_names = label_names
        self.label_sizes = label_sizes
        if partition is not None:
            self.partition = partition
        self._classes = classes
        self.fingerprint = fingerprint_with_classes(fingerprint, label_names, label_sizes, classes)

    def label_classes(self, indices: Tensor) -> Tensor:
        """Return classes int64 (B, L) at indices int64 (B,), on the CPU; IndexError outside 0 .. len - 1."""
        return torch.from_numpy(self._classes[self._checked(indices)].astype(np.int64))


class PickedPixels:
    """Some images of a store, in an order of their own: image i is the store's image rows[i], rows int64 (N,)."""

    def __init__(self, pixels: PixelStore, rows: np.ndarray) -> None:
        """Nothing is read."""
        self._pixels, self._rows = pixels, rows

    def __len__(self) -> int:
        """Return the number of images picked."""
        return len(self._rows)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return what the store gives for them at indices int64 (B,)."""
        return self._pixels[self._rows[indices]]

    def fingerprint(self, fingerprint: str) -> str:
        """Return the SHA-256 of the images picked, made from that of the store."""
        return sha256(fingerprint.encode() + self._rows.astype("<i8").tobytes())
