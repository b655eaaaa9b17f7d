"""Sliced-Wasserstein autoencoder: loss = rec + weight SW^2(q(z), p(z)) (Kolouri et al. 2019, ICLR, algorithm 1).

SW^2 is the mean over directions of the squared 2-Wasserstein distance between two samples projected onto them; in one
dimension the best matching of two samples is the sorted one. The encoder is deterministic, the prior standard normal.
N points, D latents, P directions.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from lrx.core.validation import check_number, check_whole
from lrx.models.ae import AE
from lrx.models.autoencoder import AutoencoderSettings


class SWAE(AE):
    """Autoencoder whose codes are matched to the prior along num_projections random directions per step."""

    mean_over_images = False

    def __init__(self, *, weight: float, num_projections: int, **settings: Unpack[AutoencoderSettings]) -> None:
        super().__init__(**settings)
        check_number("weight", weight, 0)
        check_whole("num_projections", num_projections, 1)
        self.weight, self.num_projections = weight, num_projections

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return `loss`, `reconstruction` and `sliced_wasserstein` (squared latents)."""
        code = self.encode(x).float()
        error = self.reconstruction_error(code, x)
        prior = torch.empty_like(code).normal_(generator=generator)
        distance = sliced_wasserstein(code, prior, num_projections=self.num_projections, generator=generator)
        return {"loss": error + self.weight * distance, "reconstruction": error, "sliced_wasserstein": distance}


def sliced_wasserstein(x_ND: Tensor, y_ND: Tensor, *, num_projections: int, generator: torch.Generator) -> Tensor:
    """Return the squared sliced 2-Wasserstein distance of two samples of N points, a scalar in squared latents.

    Directions are uniform on the sphere: a shift by s adds |s|^2 / D on average.
    """
    directions_PD = F.normalize(x_ND.new_empty(num_projections, x_ND.shape[1]).normal_(generator=generator), dim=1)
    x_PN, y_PN = (_project(sample, directions_PD).sort(dim=1).values for sample in (x_ND, y_ND))
    return (x_PN - y_PN).square().mean()


def _project(sample_ND: Tensor, directions_PD: Tensor) -> Tensor:
    # A sum, not a matrix product, which autocast would round to bfloat16.
    return (directions_PD[:, None] * sample_ND).sum(dim=2)
