"""DIP-VAE-I: loss = rec + KL + lambda_od sum_(i != j) C_ij^2 + lambda_d sum_i (C_ii - 1)^2 (Kumar et al. 2018).

lambda_d is lambda_od times a factor, as in the study. C = Cov[mu] is the covariance of the posterior means over the
batch, with 1/B as in the study of Locatello et al. 2019.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from lrx.core.validation import check_number
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.vae import VAE, Terms


class DIPVAEI(VAE):
    """VAE with a penalty on the distance of `covariance` from the identity; subclasses override `covariance`."""

    mean_over_images = False

    def __init__(
        self, *, lambda_od: float, lambda_d_factor: float, kl: str, **settings: Unpack[AutoencoderSettings]
    ) -> None:
        super().__init__(kl=kl, **settings)
        check_number("lambda_od", lambda_od, 0)
        check_number("lambda_d_factor", lambda_d_factor, 0)
        self.lambda_od, self.lambda_d = lambda_od, lambda_d_factor * lambda_od

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return `loss`, `reconstruction`, `kl` (nats per image), and the sums `off_diagonal` and `diagonal`."""
        terms = self.terms(x, generator)
        covariance = self.covariance(terms)
        diagonal = covariance.diagonal()
        off_diagonal = (covariance - diagonal.diag()).square().sum()
        from_one = (diagonal - 1).square().sum()
        return {
            "loss": terms.reconstruction + terms.kl + self.lambda_od * off_diagonal + self.lambda_d * from_one,
            "reconstruction": terms.reconstruction,
            "kl": terms.kl,
            "off_diagonal": off_diagonal,
            "diagonal": from_one,
        }

    def covariance(self, terms: Terms) -> Tensor:
        """Return the covariance (D, D) to be the identity: that of the posterior means."""
        return batch_covariance(terms.mean)


def batch_covariance(codes_BD: Tensor) -> Tensor:
    """Return the covariance (D, D) of codes (B, D) with 1/B, without a matrix product, which autocast would round."""
    centred_BD = codes_BD - codes_BD.mean(dim=0)
    return (centred_BD[:, :, None] * centred_BD[:, None, :]).mean(dim=0)
