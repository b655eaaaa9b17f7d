"""Data sets that are a full grid of factors: image i shows the classes factors.classes(i)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lrx.core.factors import FactorSpace
from lrx.data.store.pixels import PixelStore


class GridDataset:
    """FactorDataset over a pixel store.

    name: of the data set, such as "dsprites".
    source: in plain words where the pixels come from, such as "rendered".
    fingerprint: SHA-256 of the pixels as stored; equal for equal images in equal order.
    pixels: uint8 images (C, H, W) by index, one for each point of `factors`; ValueError otherwise.
    sample: int64 (M,), the images that training and evaluation draw from; None for all of them.
    """

    def __init__(
        self,
        *,
        name: str,
        source: str,
        fingerprint: str,
        factors: FactorSpace,
        pixels: PixelStore,
        sample: Tensor | None = None,
    ) -> None:
        """Check that there is one image a grid point."""
        if len(pixels) != factors.num_points:
            raise ValueError(
                f"{name} holds {len(pixels)} images, but the grid of its factors "
                f"{dict(zip(factors.names, factors.sizes, strict=True))} has {factors.num_points} points"
            )
        self.name = name
        self.source = source
        self.fingerprint = fingerprint
        self.factors = factors
        self.sample = sample
        self.observation_shape: tuple[int, ...] = pixels[np.zeros(1, dtype=np.int64)].shape[1:]
        self.pixels = pixels

    def __len__(self) -> int:
        """Return the number of images."""
        return self.factors.num_points

    def raw(self, indices: Tensor) -> Tensor:
        """Return images uint8 (B, C, H, W) at indices int64 (B,), on the CPU; IndexError outside 0 .. len - 1."""
        if indices.numel() and (indices.min() < 0 or indices.max() >= len(self)):
            outside = indices[(indices < 0) | (indices >= len(self))][0]
            raise IndexError(f"no image {int(outside)} in {self.name}: indices run from 0 to {len(self) - 1}")
        return torch.from_numpy(self.pixels[indices.cpu().numpy()])
