"""InfoVAE: loss = rec + (1 - alpha) KL + (alpha + lambda - 1) MMD^2(q(z), p(z)) (Zhao et al. 2019).

The MMD compares one draw from each posterior of the batch with as many from the prior, by the RBF kernel of
`lrx.models.losses.mmd`, without bias.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from lrx.core.validation import SettingError, check_number, is_number
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.losses.mmd import mmd, rbf
from lrx.models.vae import VAE


class InfoVAE(VAE):
    """VAE that matches the aggregate posterior to the prior, with a smaller weight of the KL.

    alpha: at most 1; 0 keeps the VAE's KL, 1 drops it (the paper's MMD-VAE). lambda_mmd: lambda of the paper, at least
    1 - alpha, below which the weight of the MMD would be negative.
    """

    mean_over_images = False

    def __init__(self, *, alpha: float, lambda_mmd: float, kl: str, **settings: Unpack[AutoencoderSettings]) -> None:
        super().__init__(kl=kl, **settings)
        if not is_number(alpha) or alpha > 1:
            raise SettingError(f"alpha must be a number of at most 1, not {alpha!r}")
        check_number("lambda_mmd", lambda_mmd, 1 - alpha)
        self.alpha, self.lambda_mmd = alpha, lambda_mmd

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return `loss`, `reconstruction`, `kl` (nats per image) and `mmd` (squared, in units of the kernel)."""
        terms = self.terms(x, generator)
        prior = torch.empty_like(terms.z).normal_(generator=generator)
        distance = mmd(terms.z, prior, rbf)
        weighted = (1 - self.alpha) * terms.kl + (self.alpha + self.lambda_mmd - 1) * distance
        return {
            "loss": terms.reconstruction + weighted,
            "reconstruction": terms.reconstruction,
            "kl": terms.kl,
            "mmd": distance,
        }
