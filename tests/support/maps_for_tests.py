"""Autoencoders with codes (C, h, w) whose responses are known in closed form."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpaceToDepth(nn.Module):
    """Codes (side^2 channels, h / side, w / side) of images (C, h, w): their pixels in another order, an identity."""

    def __init__(self, side: int = 2) -> None:
        super().__init__()
        self.side = side

    def encode(self, x: Tensor) -> Tensor:
        return F.pixel_unshuffle(x, self.side)

    def decode(self, z: Tensor) -> Tensor:
        return F.pixel_shuffle(z, self.side)


class Smoothing(SpaceToDepth):
    """Space to depth whose decoder first convolves codes with a kernel (C, C, k, k): h(z) = w * z, zeros around."""

    def __init__(self, kernel: Tensor, side: int = 2) -> None:
        super().__init__(side)
        self.register_buffer("kernel", kernel)

    def decode(self, z: Tensor) -> Tensor:
        kernel = self.get_buffer("kernel")
        return super().decode(F.conv2d(z, kernel, padding=kernel.shape[-1] // 2))


def scaled(factors: list[float]) -> Smoothing:
    """Maps with h(z) = a z, another a for each channel, in float64."""
    return Smoothing(torch.diag(torch.tensor(factors, dtype=torch.float64))[:, :, None, None])


class Noise:
    """Images (channels, side, side) of independent uniform pixels, float64, the same for every instance of one size."""

    name, source, fingerprint = "noise", "uniform", "0"

    def __init__(self, count: int = 512, channels: int = 1, side: int = 4) -> None:
        generator = torch.Generator().manual_seed(0)
        self.points = torch.rand(count, channels, side, side, generator=generator, dtype=torch.float64)
        self.observation_shape: tuple[int, ...] = (channels, side, side)

    def __len__(self) -> int:
        return len(self.points)

    def raw(self, indices: Tensor) -> Tensor:
        return self.points[indices]

    images = raw
