"""Autoencoder: reconstruction alone, no prior over the latents."""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.models.autoencoder import NetworkAutoencoder


class AE(NetworkAutoencoder):
    """loss = rec. The code is the encoder's output, (B, D), with no posterior around it."""

    heads = 1
    mean_over_images = True

    def encode(self, x: Tensor) -> Tensor:
        """Observations (B, *observation_shape) to codes (B, D)."""
        code: Tensor = self.encoder(x)
        return code

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """The batch's reconstruction error; step and generator are not used."""
        error = self.reconstruction_error(self.encode(x), x)
        return {"loss": error, "reconstruction": error}
