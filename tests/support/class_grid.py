"""A grid of factors as vectors, and autoencoders on it with known or nonlinear responses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lrx.core.factors import FactorSpace


class ClassGrid:
    """Vectors whose entries are the classes, spread over [-1, 1]; a factor of one value is 0."""

    name, source, fingerprint = "grid", "classes", "0"

    def __init__(self, *sizes: int) -> None:
        self.factors = FactorSpace(tuple("abcdef"[: len(sizes)]), sizes)
        self.observation_shape = (len(sizes),)

    def __len__(self) -> int:
        return self.factors.num_points

    def raw(self, indices: Tensor) -> Tensor:
        sizes = torch.tensor(self.factors.sizes, dtype=torch.float64)
        return (2 * self.factors.classes(indices) - (sizes - 1)) / (sizes - 1).clamp(min=1)


class LinearPair(nn.Module):
    """encode(x) = A x, decode(z) = B z (A transposed by default); counts what it decodes."""

    def __init__(self, encoder: Tensor, decoder: Tensor | None = None) -> None:
        super().__init__()
        self.encoder = nn.Parameter(encoder.double())
        self.decoder = nn.Parameter((encoder.T if decoder is None else decoder).double())
        self.decoded, self.largest = 0, 0

    def encode(self, x: Tensor) -> Tensor:
        return x @ self.encoder.T

    def decode(self, z: Tensor) -> Tensor:
        self.decoded, self.largest = self.decoded + len(z), max(self.largest, len(z))
        return z @ self.decoder.T


class Curved(nn.Module):
    """Latents mix three factors, and the response to one factor depends on all: groups and pairs differ."""

    def __init__(self, mixing: float = 0.4) -> None:
        super().__init__()
        matrix = torch.eye(3) + mixing * torch.tensor([[0.0, 1.0, -0.5], [0.3, 0.0, 1.0], [-1.0, 0.2, 0.0]])
        self.matrix = nn.Parameter(matrix.double())

    def encode(self, x: Tensor) -> Tensor:
        y = x @ self.matrix.T
        return y + 0.5 * torch.sin(3 * y.roll(1, -1)) * y.cos()

    def decode(self, z: Tensor) -> Tensor:
        return torch.tanh(z) + 0.3 * (z * z.roll(-1, -1)).sin()
