"""Scores of codes alone: Gaussian total correlation, Wasserstein correlation, and mutual information of pairs.

With S the covariance of the codes and T its diagonal: TC = 1/2 (log det T - log det S), the KL of a Gaussian from the
product of its marginals; W = 2 tr S - 2 tr (T^1/2 S T^1/2)^1/2, their squared 2-Wasserstein distance, also divided by
tr S; and the mean over pairs of different latents of the information in nats. Lower is more independent.
Source: Locatello et al. 2019 (arXiv 1811.12359), section 5.4 and appendix; 10,000 points, 20 bins. N points, D latents.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.statistics import mean_and_se
from lrx.metrics.information import discretize, pointwise
from lrx.metrics.points import as_codes
from lrx.metrics.record import Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

GROUPS = 50  # of the jackknife; 50 give the standard errors to 10 %


class Unsupervised(NamedTuple):
    """Scores (nats, squared latent units, 1, nats), and their standard errors over points."""

    gaussian_total_correlation: float
    gaussian_total_correlation_se: float
    wasserstein_correlation: float
    wasserstein_correlation_se: float
    wasserstein_correlation_normalised: float
    wasserstein_correlation_normalised_se: float
    mutual_information_score: float
    mutual_information_score_se: float


def unsupervised(codes: np.ndarray | Tensor, *, bins: int) -> Unsupervised:
    """Return the scores of codes (N, D); with one latent every score is 0.

    Constant latents are independent of all others. Where a latent is a linear function of others, the total
    correlation is infinite up to rounding.
    ValueError for codes that are not (N, D) or not finite.
    """
    codes_ND = as_codes(codes)
    correlations, errors = _jackknife(codes_ND[:, np.ptp(codes_ND, axis=0) > 0])
    information, information_se = _mean_information(discretize(codes_ND, bins))
    (total, distance, share), (total_se, distance_se, share_se) = correlations, errors
    return Unsupervised(total, total_se, distance, distance_se, share, share_se, information, information_se)


def gaussian_correlations(covariance_DD: np.ndarray) -> tuple[float, float, float]:
    """Return the total correlation in nats, the Wasserstein correlation, and the latter divided by the trace."""
    if len(covariance_DD) < 2:
        return 0.0, 0.0, 0.0
    variance_D = covariance_DD.diagonal()
    scale_D = np.sqrt(variance_D)
    sign, log_determinant = np.linalg.slogdet(covariance_DD / np.outer(scale_D, scale_D))
    total = max(0.0, -0.5 * float(log_determinant)) if sign > 0 else math.inf
    roots = np.sqrt(np.linalg.eigvalsh(covariance_DD * np.outer(scale_D, scale_D)).clip(min=0))
    distance = max(0.0, 2 * float(variance_D.sum() - roots.sum()))
    return total, distance, distance / float(variance_D.sum())


def _jackknife(codes_ND: np.ndarray) -> tuple[tuple[float, float, float], list[float]]:
    """Return the Gaussian scores, and their standard errors by leaving out one group of points at a time."""
    centred_ND = codes_ND - codes_ND.mean(axis=0)
    groups = np.array_split(centred_ND, min(GROUPS, len(centred_ND)))
    sums = np.stack([group.sum(axis=0) for group in groups])
    products = np.stack([group.T @ group for group in groups])
    scores = gaussian_correlations(products.sum(axis=0) / (len(codes_ND) - 1))
    left_out = []
    for group, sum_D, product_DD in zip(groups, sums, products, strict=True):
        count = len(codes_ND) - len(group)
        mean_D = -sum_D / max(1, count)
        scatter_DD = products.sum(axis=0) - product_DD - count * np.outer(mean_D, mean_D)
        left_out.append(gaussian_correlations(scatter_DD / max(1, count - 1)))
    values = np.array(left_out)
    if not np.isfinite(values).all() or (count := len(groups)) < 3:
        return scores, [math.nan] * len(scores)
    return scores, np.sqrt((count - 1) / count * np.square(values - values.mean(axis=0)).sum(axis=0)).tolist()


def _mean_information(bins_ND: np.ndarray) -> tuple[float, float]:
    """Return the mean information of pairs of different latents, and its standard error by the delta method."""
    latents = bins_ND.shape[1]
    pointwise_N = np.zeros(len(bins_ND))
    for latent in range(1, latents):
        pointwise_N += pointwise(bins_ND[:, :latent], bins_ND[:, latent]).sum(axis=1)
    pointwise_N /= max(1, latents * (latents - 1) // 2)
    mean, se = mean_and_se(pointwise_N)
    return float(mean), float(se)


def _measure(points: Points, generator: torch.Generator) -> Measured:
    return Measured(unsupervised(points.codes_ND[: points.sizes.num_train], bins=points.sizes.bins)._asdict())


METRIC = Metric(
    name="unsupervised",
    scores={
        "gaussian_total_correlation": Score(
            meaning="Total correlation of latents as if Gaussian, in nats; 0 is independent.",
            label="Gaussian total correlation (nat)",
        ),
        "wasserstein_correlation": Score(
            meaning="Dependence between latents as a Wasserstein distance, in squared latent units; 0 is independent.",
            label="Wasserstein correlation (latent²)",
        ),
        "wasserstein_correlation_normalised": Score(
            meaning="The same divided by the latents' total variance, for comparison of models; 0 is independent.",
            label="Wasserstein correlation, normalised",
        ),
        "mutual_information_score": Score(
            meaning="Mean mutual information of pairs of latents, in nats; 0 is independent.",
            label="information of pairs of latents (nat)",
        ),
    },
    measure=_measure,
    factors="any",
    position=9,
)
