"""Variational autoencoder: loss = rec + KL (Kingma and Welling 2014; Rezende et al. 2014)."""

from __future__ import annotations

from typing import NamedTuple, Unpack

import torch
from torch import Tensor

from lrx.core.validation import check_choice
from lrx.models.autoencoder import AutoencoderSettings, NetworkAutoencoder
from lrx.models.losses.gaussian_posterior import KINDS, kl_per_latent, sample


class Terms(NamedTuple):
    """Terms of the losses of variational autoencoders, in float32 whatever dtype the network ran in.

    reconstruction (summed over pixels) and kl (nats per image) are means over the batch; the posterior's mean and log
    standard deviation and one draw z from it are (B, D).
    """

    reconstruction: Tensor
    kl: Tensor
    mean: Tensor
    log_std: Tensor
    z: Tensor


class VAE(NetworkAutoencoder):
    """Variational autoencoder with a diagonal Gaussian posterior and a standard normal prior.

    Objectives with another weight of the KL override `regulariser`; others write their own `loss` from `terms`.
    """

    heads = 2
    mean_over_images = True

    def __init__(self, *, kl: str, **settings: Unpack[AutoencoderSettings]) -> None:
        super().__init__(**settings)
        check_choice("kl", kl, KINDS)
        self.kl = kl

    def encode(self, x: Tensor) -> Tensor:
        """Encode observations (B, *observation_shape) to posterior means (B, D)."""
        return self._split(self.encoder(x))[0]

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and standard deviation of the posterior of observations, each (B, D)."""
        mean, log_std = self._split(self.encoder(x))
        return mean, log_std.exp()

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return rec + regulariser(KL) as `loss`, and the scalars `reconstruction` and `kl` (nats per image)."""
        terms = self.terms(x, generator)
        loss = terms.reconstruction + self.regulariser(terms.kl)
        return {"loss": loss, "reconstruction": terms.reconstruction, "kl": terms.kl}

    def terms(self, x: Tensor, generator: torch.Generator) -> Terms:
        """Pass a batch (B, *observation_shape) through encoder, posterior and decoder."""
        mean, log_std = (part.float() for part in self._split(self.encoder(x)))
        z = sample(mean, log_std, generator)
        error = self.reconstruction_error(z, x)
        kl = kl_per_latent(mean, log_std, kind=self.kl).sum(dim=1).mean()
        return Terms(error, kl, mean, log_std, z)

    def regulariser(self, kl: Tensor) -> Tensor:
        """Return the term that is added to the reconstruction error, from the KL of the batch in nats: the KL."""
        return kl
