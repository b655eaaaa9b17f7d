"""The diagonal Gaussian posterior against the standard normal prior (Kingma and Welling 2014, appendix B).

`exact` is the KL of lrx.core.kl. `authors` has sigma in place of sigma^2, as the code published with Leeb et al. 2022
has; it is there to repeat their settings and is no divergence.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.core.kl import kl_from_standard
from lrx.core.row_noise import normal_like

KINDS = ("exact", "authors")


def kl_per_latent(mean: Tensor, log_std: Tensor, *, kind: str) -> Tensor:
    """Mean and log standard deviation (B, D) to KL(q(z_j | x) || N(0, 1)) in nats, (B, D)."""
    return kl_from_standard(mean, 2 * log_std if kind == "exact" else log_std)


def sample(mean: Tensor, log_std: Tensor, generator: torch.Generator) -> Tensor:
    """One reparametrised draw per row: mean + sigma * noise, (B, D), the noise from the generator."""
    return mean + log_std.exp() * normal_like(mean, generator)
