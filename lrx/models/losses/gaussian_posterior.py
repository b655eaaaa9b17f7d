"""Diagonal Gaussian posterior: its KL from the standard normal prior, and reparametrised draws.

KL `exact` is the formula of lrx.core.kl (Kingma and Welling 2014, appendix B). `authors` has sigma in place of sigma^2,
as in the code published with Leeb et al. 2022; it serves to repeat their settings and is not a divergence.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.core.kl import kl_from_standard
from lrx.core.row_noise import normal_like

KINDS = ("exact", "authors")


def kl_per_latent(mean: Tensor, log_std: Tensor, *, kind: str) -> Tensor:
    """Return KL(q(z_j | x) || N(0, 1)) in nats, (B, D), from mean and log standard deviation (B, D)."""
    return kl_from_standard(mean, 2 * log_std if kind == "exact" else log_std)


def sample(mean: Tensor, log_std: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one reparametrised sample per row: mean + sigma * noise, (B, D), the noise from the generator."""
    return mean + log_std.exp() * normal_like(mean, generator)
