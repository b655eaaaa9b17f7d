"""Autoencoder: loss = rec, no prior over the latents."""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.models.autoencoder import NetworkAutoencoder


class AE(NetworkAutoencoder):
    """Deterministic autoencoder: the code (B, D) is the encoder's output, without a posterior. loss = rec."""

    heads = 1
    mean_over_images = True

    def encode(self, x: Tensor) -> Tensor:
        """Encode observations (B, *observation_shape) to codes (B, D)."""
        code: Tensor = self.encoder(x)
        return code

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the reconstruction error of a batch; step and generator are not used."""
        error = self.reconstruction_error(self.encode(x), x)
        return {"loss": error, "reconstruction": error}
