"""Models that count the observations that pass through them, and products of their Jacobian."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lrx.responses.cost import FORWARD_MODE

LATENTS = 3


class Counter:
    """Observations that passed, by the part of the model; its copies are itself."""

    def __init__(self) -> None:
        self.seen = dict.fromkeys(("encode", "decode", "posterior", "product"), 0)

    def __deepcopy__(self, memo: object) -> Counter:
        return self


class Watched(torch.autograd.Function):
    """Identity that counts products in reverse and in forward mode."""

    @staticmethod
    def forward(z: Tensor, counter: Counter) -> Tensor:
        return z.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Counter], output: Tensor) -> None:
        ctx.counter = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ctx.counter.seen["product"] += len(gradient)
        return gradient, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        ctx.counter.seen["product"] += FORWARD_MODE * len(tangent)
        return tangent.clone()


class Counting(nn.Module):
    """Linear codes of images, which the decoder inverts: every latent is informative, h jumps nowhere."""

    def __init__(self) -> None:
        super().__init__()
        matrix = torch.linalg.qr(torch.randn(64, LATENTS, generator=torch.Generator().manual_seed(0)))[0]
        self.matrix, self.counter = nn.Parameter(matrix), Counter()

    def encode(self, x: Tensor) -> Tensor:
        self.counter.seen["encode"] += len(x)
        return self._code(x)

    def _code(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.matrix

    def decode(self, z: Tensor) -> Tensor:
        self.counter.seen["decode"] += len(z)
        return (Watched.apply(z, self.counter) @ self.matrix.T).view(-1, 1, 8, 8)


class CountingPosterior(Counting):
    """The same with a posterior."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.counter.seen["posterior"] += len(x)
        mean = self._code(x)
        return mean, torch.full_like(mean, 0.3)


class Rounding(Counting):
    """Codes of whole numbers: no derivative, so that each latent is moved to find out."""

    def _code(self, x: Tensor) -> Tensor:
        return super()._code(x).round() + 0 * super()._code(x)


class Maps(Counting):
    """Codes (2, 4, 4): halves of an image, each reduced."""

    def _code(self, x: Tensor) -> Tensor:
        return torch.nn.functional.pixel_unshuffle(x, 2)[:, :2]

    def decode(self, z: Tensor) -> Tensor:
        self.counter.seen["decode"] += len(z)
        return torch.nn.functional.pixel_shuffle(torch.cat([z, z], 1), 2)


class MapsPosterior(CountingPosterior, Maps):
    """The same with a posterior."""


class Quantizing(Counting):
    """Codes of the values 0 to 3."""

    def _code(self, x: Tensor) -> Tensor:
        return super()._code(x).round().clamp(0, 3)

    def latent_values(self) -> Tensor:
        return torch.arange(4.0).expand(LATENTS, 4)
