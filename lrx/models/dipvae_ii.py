"""DIP-VAE-II: the loss of DIP-VAE-I with C = Cov[mu] + E[diag sigma^2] (Kumar et al. 2018)."""

from __future__ import annotations

from torch import Tensor

from lrx.models.dipvae_i import DIPVAEI, batch_covariance
from lrx.models.vae import Terms


class DIPVAEII(DIPVAEI):
    """DIP-VAE with a penalty on the covariance of the aggregate posterior, not only of its means."""

    def covariance(self, terms: Terms) -> Tensor:
        """Return the covariance (D, D) of draws from the posteriors of the batch."""
        return batch_covariance(terms.mean) + (2 * terms.log_std).exp().mean(dim=0).diag()
