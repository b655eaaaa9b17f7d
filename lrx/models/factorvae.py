"""FactorVAE: loss = rec + KL + gamma TC, TC = KL(q(z) || prod_j q(z_j)) estimated by a discriminator.

The discriminator tells draws of q(z) (logit l_0) from draws whose latents are permuted across the batch (l_1), so
that l_0 - l_1 estimates the log density ratio and E[l_0 - l_1] the total correlation. Source: Kim and Mnih 2018,
"Disentangling by Factorising", algorithms 1 and 2. Algorithm 2 draws a second batch for the discriminator; here one
batch serves both, as in disentanglement_lib (Locatello et al. 2019), and both take their step at the same time.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from lrx.core.validation import SettingError, check_number, check_positive, check_whole
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.layers.dense import dense
from lrx.models.vae import VAE


class FactorVAE(VAE):
    """VAE with a penalty on the total correlation; its discriminator has an optimiser group of its own.

    layers: hidden layers of the discriminator, each of `width` units with LeakyReLU 0.2, before its two logits.
    discriminator_lr, discriminator_betas: of its Adam.
    """

    mean_over_images = False

    def __init__(
        self,
        *,
        gamma: float,
        kl: str,
        layers: int,
        width: int,
        discriminator_lr: float,
        discriminator_betas: Sequence[float],
        **settings: Unpack[AutoencoderSettings],
    ) -> None:
        super().__init__(kl=kl, **settings)
        check_number("gamma", gamma, 0)
        check_whole("layers", layers, 1)
        check_whole("width", width, 1)
        lr, betas = discriminator_lr, discriminator_betas
        check_positive("discriminator_lr", lr)
        if (
            not isinstance(betas, Sequence)
            or len(betas) != 2
            or not all(isinstance(beta, int | float) and 0 <= beta < 1 for beta in betas)
        ):
            raise SettingError(f"discriminator_betas must be two numbers in [0, 1), not {betas!r}")
        self.gamma, self._lr, self._betas = gamma, lr, (betas[0], betas[1])
        leaky = functools.partial(nn.LeakyReLU, 0.2)
        self.discriminator = nn.Sequential(*dense([self.latent_dim, *[width] * layers, 2], leaky))

    def parameter_groups(self) -> list[dict[str, object]]:
        """Return two groups: the VAE with the trainer's settings, the discriminator with its own rate and betas."""
        return [
            {"params": [*self.encoder.parameters(), *self.decoder.parameters()]},
            {"params": list(self.discriminator.parameters()), "lr": self._lr, "betas": self._betas},
        ]

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the sum of both objectives, whose gradients are separate, for one backward pass.

        Also returns `reconstruction`, `kl` and `total_correlation` (nats), which train the VAE, and `discriminator`
        (its cross-entropy in nats, log 2 at chance), which trains the discriminator.
        """
        terms = self.terms(x, generator)
        total_correlation = self.total_correlation(terms.z)
        discriminator = self.discriminator_error(terms.z.detach(), generator)
        return {
            "loss": terms.reconstruction + terms.kl + self.gamma * total_correlation + discriminator,
            "reconstruction": terms.reconstruction,
            "kl": terms.kl,
            "total_correlation": total_correlation,
            "discriminator": discriminator,
        }

    def total_correlation(self, z: Tensor) -> Tensor:
        """Estimate E[l_0 - l_1] of draws (B, D), a scalar in nats, with no gradient to the discriminator."""
        constants = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        logits: Tensor = functional_call(self.discriminator, constants, (z,)).float()
        return (logits[:, 0] - logits[:, 1]).mean()

    def discriminator_error(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """Return the discriminator's cross-entropy on draws (B, D) and permuted draws, a scalar in nats."""
        logits = self.discriminator(torch.cat([z, permute_latents(z, generator)])).float()
        permuted = torch.arange(len(logits), device=z.device) >= len(z)
        return F.cross_entropy(logits, permuted.long())


def permute_latents(z: Tensor, generator: torch.Generator) -> Tensor:
    """Permute each latent of (B, D) across the batch, independently of the others (algorithm 1)."""
    order = torch.rand(z.shape, generator=generator, device=z.device).argsort(dim=0)
    return z.gather(0, order)
