"""Ada-GVAE: the beta-VAE loss of pairs that differ in few factors, over posteriors averaged where the pair agrees.

delta_j = KL(q(z_j | x_1) || q(z_j | x_2)); latents with delta_j < (max delta + min delta) / 2 are shared, and get the
mean (mu_1 + mu_2) / 2 and the variance (sigma_1^2 + sigma_2^2) / 2 in both posteriors. Source: Locatello et al. 2020,
"Weakly-Supervised Disentanglement Without Compromises", section 4.
"""

from __future__ import annotations

import math
from typing import Unpack

import torch
from torch import Tensor

from lrx.core.factors import FactorSpace
from lrx.core.kl import kl_from_standard
from lrx.core.types import Dataset, Sampled, with_factors
from lrx.core.validation import SettingError, is_whole
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.betavae import BetaVAE
from lrx.models.losses.gaussian_posterior import kl_per_latent, sample

RANDOM = "random"


class AdaGVAE(BetaVAE):
    """Beta-VAE of pairs. k: number of factors in which a pair differs, or `random`: 1 to F - 1, drawn for each pair."""

    def __init__(self, *, k: int | str, beta: float, kl: str, **settings: Unpack[AutoencoderSettings]) -> None:
        super().__init__(beta=beta, kl=kl, **settings)
        if k != RANDOM and not is_whole(k, 1):
            raise SettingError(f"k must be a whole number of at least 1, or {RANDOM}, not {k!r}")
        self.k = k

    def partners(self, dataset: Dataset, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Draw for images with indices int64 (B,) partners that differ in k factors, from the full grid.

        ValueError for a data set without factors, with too few for a pair to share one, or restricted to a part.
        """
        if isinstance(dataset, Sampled) and dataset.sample is not None:
            raise ValueError(
                "model=adagvae draws partners from the whole grid; train it with split=all and no dataset.correlation"
            )
        space = with_factors(dataset, "model=adagvae").factors
        varying = sum(size > 1 for size in space.sizes)
        if varying <= (1 if self.k == RANDOM else int(self.k)):
            raise SettingError(
                f"k={self.k} leaves a pair nothing to share; {dataset.name} has {varying} factors that vary"
            )
        if self.k == RANDOM:
            count = torch.randint(1, varying, indices.shape, generator=generator)
        else:
            count = torch.full_like(indices, int(self.k))
        return space.index(change_factors(space, space.classes(indices), count, generator))

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return rec + beta KL over x (2B, *observation_shape): B images, then their partners.

        Also returns `reconstruction`, `kl` (nats per image) and `shared`, the mean number of latents that pairs share.
        """
        assert len(x) % 2 == 0, len(x)
        mean, log_std = (part.float() for part in self._split(self.encoder(x)))
        shared = shared_latents(mean, log_std)
        mean, log_std = average_shared(mean, log_std, shared)
        error = self.reconstruction_error(sample(mean, log_std, generator), x)
        kl = kl_per_latent(mean, log_std, kind=self.kl).sum(dim=1).mean()
        count = shared.sum(dim=1).float().mean()
        return {"loss": error + self.regulariser(kl), "reconstruction": error, "kl": kl, "shared": count}


def change_factors(space: FactorSpace, classes: Tensor, count: Tensor, generator: torch.Generator) -> Tensor:
    """Change `count` (B,) random factors of each row of classes (B, F) to another value, uniform over the others.

    Factors with one value never change. The code published with the paper redraws from all values, including the old
    one, and changes only one factor in half of its pairs; here, as in the paper, exactly `count` factors differ.
    """
    sizes = torch.tensor(space.sizes)
    priority = torch.rand(classes.shape, generator=generator).masked_fill(sizes == 1, 2)
    chosen = priority.argsort(dim=1).argsort(dim=1) < count[:, None]
    shift = 1 + (torch.rand(classes.shape, generator=generator, dtype=torch.float64) * (sizes - 1)).long()
    return torch.where(chosen, (classes + shift) % sizes, classes)


def shared_latents(mean: Tensor, log_std: Tensor) -> Tensor:
    """Return which latents each pair shares, bool (B, D), from posteriors (2B, D) of B images, then of their partners.

    Equal posteriors are shared whatever the threshold, which is 0 for a pair of identical images.
    """
    mean_1, mean_2 = mean.detach().chunk(2)
    log_std_1, log_std_2 = log_std.detach().chunk(2)
    delta = kl_from_standard((mean_1 - mean_2) / log_std_2.exp(), 2 * (log_std_1 - log_std_2))
    threshold = 0.5 * (delta.amax(dim=1, keepdim=True) + delta.amin(dim=1, keepdim=True))
    return (delta < threshold) | (delta == 0)


def average_shared(mean: Tensor, log_std: Tensor, shared: Tensor) -> tuple[Tensor, Tensor]:
    """Average means and variances of a pair in the latents that it shares (B, D); returns mean and log std (2B, D)."""
    mean_1, mean_2 = mean.chunk(2)
    log_std_1, log_std_2 = log_std.chunk(2)
    average_mean = ((mean_1 + mean_2) / 2).repeat(2, 1)
    average_log_std = ((torch.logaddexp(2 * log_std_1, 2 * log_std_2) - math.log(2)) / 2).repeat(2, 1)
    both = shared.repeat(2, 1)
    return torch.where(both, average_mean, mean), torch.where(both, average_log_std, log_std)
