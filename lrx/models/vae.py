"""Variational autoencoder: loss = rec + KL (Kingma and Welling 2014; Rezende et al. 2014)."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from lrx.models.autoencoder import AutoencoderSettings, NetworkAutoencoder
from lrx.models.gaussian import KINDS, kl_per_latent, sample


class VAE(NetworkAutoencoder):
    """A Gaussian encoder with diagonal covariance under a standard normal prior.

    Objectives that differ only in how they weigh the prior override `regulariser`.
    """

    heads = 2

    def __init__(self, *, kl: str, **settings: Unpack[AutoencoderSettings]) -> None:
        super().__init__(**settings)
        if kl not in KINDS:
            raise ValueError(f"model.kl must be one of {', '.join(KINDS)}, not {kl!r}")
        self.kl = kl

    def encode(self, x: Tensor) -> Tensor:
        """Observations (B, *observation_shape) to posterior means (B, D)."""
        return self._split(self.encoder(x))[0]

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Observations to the posterior's mean and standard deviation, each (B, D)."""
        mean, log_std = self._split(self.encoder(x))
        return mean, log_std.exp()

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """rec + regulariser(KL), with the scalars `reconstruction` and `kl` (nats per image) beside it."""
        mean, log_std = (part.float() for part in self._split(self.encoder(x)))
        error = self.reconstruction_error(sample(mean, log_std, generator), x)
        kl = kl_per_latent(mean, log_std, kind=self.kl).sum(dim=1).mean()
        return {"loss": error + self.regulariser(kl), "reconstruction": error, "kl": kl}

    def regulariser(self, kl: Tensor) -> Tensor:
        """What is added to the reconstruction error, from the batch's KL in nats: here the KL itself."""
        return kl
