"""Autoencoder with finite scalar quantisation: loss = rec + P saturation mean(a^2), each latent one of V values.

c = tanh(a) of the encoder's output a; q the nearest of V values evenly from -1 to 1. Source: Mentzer et al. 2023
(arXiv 2309.15505), in the form of Tripod's quantiser (Hsu et al. 2024, arXiv 2404.10282), which has values at both ends
for even V too. The weight on a^2 is ours: without it, Adam at 0.001 drives a beyond 100 within 60 steps (conv64, images
of 3D Shapes), where tanh has no gradient, and nothing is learned. P numbers of an observation.
"""

from __future__ import annotations

import math
from typing import Unpack

import torch
from torch import Tensor

from lrx.core.validation import check_number
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.quantized import QuantizedAutoencoder, nearest, straight_through


class FSQ(QuantizedAutoencoder):
    """Autoencoder whose latents are rounded to a fixed grid.

    saturation: weight of the mean square of what tanh is given. values, weight_decay: see
    `lrx.models.quantized.QuantizedAutoencoder`.
    """

    grid: Tensor

    def __init__(
        self, *, values: int, saturation: float, weight_decay: float, **settings: Unpack[AutoencoderSettings]
    ) -> None:
        super().__init__(values=values, weight_decay=weight_decay, **settings)
        check_number("saturation", saturation, 0)
        self.saturation = saturation
        self.register_buffer("grid", torch.linspace(-1, 1, values), persistent=False)

    def latent_values(self) -> Tensor:
        """Return the grid, the same for each latent (D, V)."""
        return self.grid.expand(self.latent_dim, -1)

    def continuous(self, x: Tensor) -> Tensor:
        """Return what is rounded (B, D), between -1 and 1."""
        return super().continuous(x).tanh()

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return `loss`, `reconstruction`, and `saturation`, the mean square that is weighed; step and generator are
        not used."""
        before = super().continuous(x)
        code = before.tanh()
        error = self.reconstruction_error(straight_through(code, nearest(code, self.latent_values())), x)
        square = before.square().mean()
        loss = error + math.prod(self.observation_shape) * self.saturation * square
        return {"loss": loss, "reconstruction": error, "saturation": square}
