"""Pixel stores: N images on disk or in memory, read by index as uint8 (B, C, H, W).

A store keeps pixels as they lie in its cache and touches only the images that are asked for.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

ROWS_MAPPED = 128  # rows; the system maps up to 2 MB around each, where files are cached in large folios
ADVISED = hasattr(mmap, "MADV_DONTNEED")  # Windows has no such calls


class PixelStore(Protocol):
    """Images or vectors by index, in a file or in memory."""

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return uint8 (B, C, H, W) at indices int64 (B,)."""
        ...


class MappedRows:
    """Memory-mapped file of uint8 (N, ...), read by rows.

    Pages are given back after KEPT rows (they stay in the system's cache, warm), so that the resident size stays that
    of a few batches, however long the training. Rows of a page or more are announced one by one: left to
    itself, the system reads up to megabytes around each, most of which no batch wants.
    """

    def __init__(self, path: Path, *, shape: tuple[int, ...], offset: int = 0) -> None:
        """Map the file, whose bytes from `offset` on begin with the rows."""
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._rows = np.frombuffer(self._map, dtype=np.uint8, count=math.prod(shape), offset=offset).reshape(shape)
        self._offset, self._row_bytes = offset, math.prod(shape[1:])
        self._kept = 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return a copy of these rows, uint8 (B, ) at indices int64 (B,)."""
        if len(indices) > ROWS_MAPPED:
            pieces = [self[indices[start : start + ROWS_MAPPED]] for start in range(0, len(indices), ROWS_MAPPED)]
            return np.concatenate(pieces)
        if ADVISED and self._row_bytes >= mmap.PAGESIZE:
            starts = self._offset + indices * self._row_bytes
            pages = starts // mmap.PAGESIZE * mmap.PAGESIZE
            for page, num_bytes in zip(pages.tolist(), (starts - pages + self._row_bytes).tolist(), strict=True):
                self._map.madvise(mmap.MADV_WILLNEED, page, num_bytes)
        rows: np.ndarray = self._rows[indices]
        self._kept += len(rows)
        if self._kept >= ROWS_MAPPED and ADVISED:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._kept = 0
        return rows


class MappedPixels:
    """Images kept channel-last, as in the official files: a file of uint8 (N, H, W, C).

    Batches come out as (B, C, H, W) views of channel-last memory, which is the faster layout for convolutions.
    """

    def __init__(self, path: Path, *, shape: tuple[int, int, int, int], offset: int = 0) -> None:
        """Map the file, whose bytes from `offset` on begin with the images."""
        self._images = MappedRows(path, shape=shape, offset=offset)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return uint8 (B, C, H, W) at indices int64 (B,)."""
        return self._images[indices].transpose(0, 3, 1, 2)


class JoinedPixels:
    """Images of several stores, of one shape, one store after the other."""

    def __init__(self, stores: Sequence[PixelStore]) -> None:
        """Nothing is read."""
        self._stores, self._ends = stores, np.cumsum([len(store) for store in stores])

    def __len__(self) -> int:
        """Return the number of images."""
        return int(self._ends[-1])

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return uint8 (B, C, H, W) at indices int64 (B,)."""
        which = np.searchsorted(self._ends, indices, side="right")
        starts = self._ends - [len(store) for store in self._stores]
        pieces = [store[indices[which == number] - starts[number]] for number, store in enumerate(self._stores)]
        images: np.ndarray = np.concatenate(pieces)[np.argsort(np.argsort(which, kind="stable"))]
        return images


class PackedPixels:
    """Binary images of one channel, eight pixels a byte: a file of uint8 (N, H * W / 8).

    All of dSprites takes 377 MB so, not 3.02 GB. Pixels are read as 0 and 255.
    """

    def __init__(self, path: Path, *, num_images: int, height: int, width: int) -> None:
        """Map the file; H * W must be a multiple of 8."""
        self._image_shape = (1, height, width)
        self._bits = MappedRows(path, shape=(num_images, height * width // 8))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._bits)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return uint8 (B, 1, H, W) in {0, 255} at indices int64 (B,)."""
        pixels = np.unpackbits(self._bits[indices], axis=1)
        return np.negative(pixels, out=pixels).reshape(-1, *self._image_shape)


class NotBinary(ValueError):
    """Images with other values than 0 and 1."""


def pack(images: np.ndarray) -> np.ndarray:
    """Pack binary images uint8 (B, H, W) in {0, 1} to uint8 (B, H * W / 8); NotBinary at any other value."""
    if images.size and images.max() > 1:
        raise NotBinary(f"binary images hold 0 and 1, not {images.max()}")
    return np.packbits(images.reshape(len(images), -1), axis=1)
