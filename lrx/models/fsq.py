"""Autoencoder with finite scalar quantisation: loss = rec, each latent one of V values evenly from -1 to 1.

c = tanh of the encoder's output; q the nearest value. There is nothing to learn, so no loss beside rec. Source: Mentzer
et al. 2023 (arXiv 2309.15505), in the form of Tripod's quantiser (Hsu et al. 2024, arXiv 2404.10282), which has values
at both ends for even V too.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.quantized import QuantizedAutoencoder


class FSQ(QuantizedAutoencoder):
    """Autoencoder whose latents are rounded to a fixed grid.

    values, weight_decay: see `lrx.models.quantized.QuantizedAutoencoder`.
    """

    grid: Tensor

    def __init__(self, *, values: int, weight_decay: float, **settings: Unpack[AutoencoderSettings]) -> None:
        super().__init__(values=values, weight_decay=weight_decay, **settings)
        self.register_buffer("grid", torch.linspace(-1, 1, values), persistent=False)

    def latent_values(self) -> Tensor:
        """Return the grid, the same for each latent (D, V)."""
        return self.grid.expand(self.latent_dim, -1)

    def continuous(self, x: Tensor) -> Tensor:
        """Return what is rounded (B, D), between -1 and 1."""
        return super().continuous(x).tanh()

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the reconstruction error of a batch; step and generator are not used."""
        error = self.reconstruction_error(self.encode(x), x)
        return {"loss": error, "reconstruction": error}
