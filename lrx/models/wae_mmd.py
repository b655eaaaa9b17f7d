"""Wasserstein autoencoder: loss = rec + weight MMD^2(q(z), p(z)) (Tolstikhin et al. 2018, algorithm 2).

The encoder is deterministic, the prior standard normal, the kernel the inverse multiquadratic at several scales of
`lrx.models.losses.mmd`. The paper's error is the squared one: model.reconstruction=gaussian model.variance=0.5.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from lrx.core.validation import check_number
from lrx.models.ae import AE
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.losses.mmd import inverse_multiquadratic, mmd


class WAEMMD(AE):
    """Autoencoder whose aggregate posterior is matched to the prior."""

    mean_over_images = False

    def __init__(self, *, weight: float, **settings: Unpack[AutoencoderSettings]) -> None:
        super().__init__(**settings)
        check_number("weight", weight, 0)
        self.weight = weight

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return `loss`, `reconstruction` and `mmd` (squared, in units of the kernel)."""
        code = self.encode(x).float()
        error = self.reconstruction_error(code, x)
        prior = torch.empty_like(code).normal_(generator=generator)
        distance = mmd(code, prior, inverse_multiquadratic)
        return {"loss": error + self.weight * distance, "reconstruction": error, "mmd": distance}
