"""beta-TCVAE: loss = rec + KL + (beta - 1) TC (Chen et al. 2018).

The KL from the prior, averaged over images, is MI + TC + DW: the mutual information of z and image, the total
correlation of the latents, and the KL of each latent's marginal from the prior. The paper's rec + MI + beta TC + DW is
written in the form above because the KL has a closed form, so only TC is estimated; at beta = 1 it is the VAE's loss.

    MI = E log q(z|x) / q(z)    TC = E log q(z) / prod_j q(z_j)    DW = E log prod_j q(z_j) / p(z)

q(z) = 1/N sum_n q(z|x_n) over a data set of N images is estimated from a batch of B, of which one is z's own image:
`weighted` (section 3.1): 1/(N B) sum_m q(z|x_m), the mixture of the batch's own posteriors divided by N. Its MI
is log N and its TC (D - 1) log N too high, its DW D log N too low: constants, which do not change the gradient.
`stratified` (appendix C.2): weight 1/N on its own image, the rest shared by the others; unbiased for q(z) when a batch
has no image twice. The paper gives one of the others, at random, another weight; lrx gives each the mean weight,
(N - 1) / (N (B - 1)), which has less variance and is exact where the batch is the data set.

B images of a batch, whose posteriors come second in BB; D latents.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Unpack

import torch
from torch import Tensor

from lrx.core.validation import SettingError, check_choice, check_number, is_whole
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.vae import VAE

ESTIMATORS = ("weighted", "stratified")


class BTCVAE(VAE):
    """VAE with a weight beta of the total correlation; dataset_size is the N of its estimator."""

    mean_over_images = False

    def __init__(  # type: ignore[misc]  # dataset_size is among the settings too, where it may be left out
        self, *, beta: float, estimator: str, kl: str, dataset_size: int, **settings: Unpack[AutoencoderSettings]
    ) -> None:
        super().__init__(kl=kl, **settings)
        check_number("beta", beta, 0)
        check_choice("estimator", estimator, ESTIMATORS)
        if not is_whole(dataset_size, 1):
            raise ValueError(f"dataset_size must be a whole number of at least 1, not {dataset_size!r}")
        self.beta, self.estimator, self.dataset_size = beta, estimator, dataset_size

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return `loss`, `reconstruction`, `kl` (exact) and the three estimated parts of the KL, in nats."""
        terms = self.terms(x, generator)
        log_weights = log_importance_weights(len(x), self.dataset_size, self.estimator, device=x.device).to(terms.z)
        parts = decompose(terms.z, terms.mean, terms.log_std, log_weights)
        return {
            "loss": terms.reconstruction + terms.kl + (self.beta - 1) * parts.total_correlation,
            "reconstruction": terms.reconstruction,
            "kl": terms.kl,
            **parts._asdict(),
        }


class Parts(NamedTuple):
    """Parts of the KL from the prior, each a scalar in nats per image; they add up to its estimate from the draws."""

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise_kl: Tensor


def decompose(z_BD: Tensor, mean_BD: Tensor, log_std_BD: Tensor, log_weights_BB: Tensor) -> Parts:
    """Estimate the parts from a draw z of each posterior, and the log weights of all posteriors in q(z) of each."""
    log_q_BBD = _log_normal(z_BD[:, None], mean_BD, log_std_BD)
    own_B = _log_normal(z_BD, mean_BD, log_std_BD).sum(dim=1)
    joint_B = (log_weights_BB + log_q_BBD.sum(dim=2)).logsumexp(dim=1)
    marginals_B = (log_weights_BB[:, :, None] + log_q_BBD).logsumexp(dim=1).sum(dim=1)
    prior_B = _log_normal(z_BD, torch.zeros_like(z_BD), torch.zeros_like(z_BD)).sum(dim=1)
    return Parts((own_B - joint_B).mean(), (joint_B - marginals_B).mean(), (marginals_B - prior_B).mean())


def log_importance_weights(
    batch_size: int, dataset_size: int, estimator: str, *, device: torch.device | None = None
) -> Tensor:
    """Return log weights (B, B) in float64: row i has the weight of each posterior of the batch in q(z) of draw i.

    device: where they are made, None for the CPU; made where the loss needs them, no copy is waited for.
    SettingError where `stratified` has no other image to weigh.
    """
    if estimator == "weighted":
        log_weight = -math.log(dataset_size * batch_size)
        return torch.full((batch_size, batch_size), log_weight, dtype=torch.float64, device=device)
    if batch_size < 2:
        raise SettingError("estimator=stratified needs batches of at least 2 images, not of 1; weighted takes any")
    others = (dataset_size - 1) / (dataset_size * (batch_size - 1))
    weights_BB = torch.full((batch_size, batch_size), others, dtype=torch.float64, device=device)
    return weights_BB.fill_diagonal_(1 / dataset_size).log()


def _log_normal(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return the log density of each latent by itself, in nats."""
    return -0.5 * (((z - mean) / log_std.exp()).square() + math.log(2 * math.pi)) - log_std
