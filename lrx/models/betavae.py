"""beta-VAE: loss = rec + beta KL (Higgins et al. 2017)."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from lrx.core.validation import check_number
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.vae import VAE


class BetaVAE(VAE):
    """VAE with a weight of the KL: beta > 1 brings posteriors closer to the prior, beta = 1 is the VAE."""

    def __init__(self, *, beta: float, kl: str, **settings: Unpack[AutoencoderSettings]) -> None:
        super().__init__(kl=kl, **settings)
        check_number("beta", beta, 0)
        self.beta = beta

    def regulariser(self, kl: Tensor) -> Tensor:
        """Return beta times the KL of the batch in nats."""
        return self.beta * kl
