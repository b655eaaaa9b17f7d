"""Mean correlation coefficient: correlation of each factor with a latent of its own.

Latents and factors are matched one to one so that the sum of |R_jk| is largest (Hungarian method); MCC is its mean over
factors, R being Pearson's correlation (recovery up to scale) or Spearman's (up to monotone maps). A factor without a
latent of its own, where there are fewer latents than factors, counts 0. It is the score of causal representation
learning (Hyvärinen & Morioka 2016, arXiv 1605.06336; Khemakhem et al. 2020, arXiv 1907.04809, section 5). Of classes it
takes their numbers, which is fair to ordered ones alone. N points, D latents, F factors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.types import Array
from lrx.metrics.points import as_codes_and_factors
from lrx.metrics.record import LATENT_FACTOR, UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

GROUPS = 50  # of the jackknife; 50 give the standard errors to 10 %


class MCC(NamedTuple):
    """Scores and their standard errors, correlations (D, F), and the latent of each factor (F,), -1 for none.

    The standard errors are over points, by a jackknife with the matching held fixed; for codes without information,
    where chance selects the pairs, the score is above 0 by more than they say.
    """

    pearson: float
    pearson_se: float
    spearman: float
    spearman_se: float
    pearson_DF: np.ndarray
    spearman_DF: np.ndarray
    latent_F: np.ndarray


def mcc(codes: np.ndarray | Tensor, factors: np.ndarray | Tensor) -> MCC:
    """Return the scores of codes (N, D) and factors (N, F), classes or continuous; a constant latent correlates by 0.

    latent_F is the matching by Pearson's correlations. ValueError as `lrx.metrics.points.as_codes_and_factors`.
    """
    from scipy.stats import rankdata

    codes_ND, factors_NF = as_codes_and_factors(codes, factors)
    pearson, pearson_se, pearson_DF, latent_F = _matched(codes_ND, factors_NF, lambda values: values)
    ranks = _matched(codes_ND, factors_NF, lambda values: np.asarray(rankdata(values, axis=0)))
    return MCC(pearson, pearson_se, *ranks[:2], pearson_DF, ranks[2], latent_F)


def correlations(one_ND: np.ndarray, other_NF: np.ndarray) -> np.ndarray:
    """Return Pearson's correlations (D, F) of columns, 0 with a constant one."""
    units = []
    for part in (one_ND, other_NF):
        centred = np.where(np.ptp(part, axis=0) > 0, part - part.mean(axis=0), 0.0)
        length = np.linalg.norm(centred, axis=0)
        units.append(centred / np.where(length > 0, length, 1))
    return np.asarray((units[0].T @ units[1]).clip(-1, 1))


def _matched(
    codes_ND: np.ndarray, factors_NF: np.ndarray, transform: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Return score, standard error, correlations (D, F), and the latent of each factor, of transformed columns."""
    from scipy.optimize import linear_sum_assignment

    def score(rows: np.ndarray) -> float:
        one_NP, other_NP = transform(codes_ND[rows][:, latents]), transform(factors_NF[rows][:, matched])
        found = np.abs(np.diagonal(correlations(one_NP, other_NP)))
        return float(found.sum()) / len(factors_NF.T)

    correlation_DF = correlations(transform(codes_ND), transform(factors_NF))
    latents, matched = linear_sum_assignment(np.abs(correlation_DF), maximize=True)
    latent_F = np.full(factors_NF.shape[1], -1)
    latent_F[matched] = latents
    mean = float(np.abs(correlation_DF[latents, matched]).sum()) / factors_NF.shape[1]
    groups = np.arange(len(codes_ND)) % min(GROUPS, len(codes_ND))
    left_out = np.array([score(np.flatnonzero(groups != group)) for group in np.unique(groups)])
    se = math.sqrt((1 - 1 / len(left_out)) * float(np.square(left_out - left_out.mean()).sum()))
    return mean, se, correlation_DF, latent_F


def _measure(points: Points, generator: torch.Generator) -> Measured:
    first = points.sizes.num_train
    result = mcc(points.codes_ND[:first], points.factors_NF[:first])
    scores = {
        "mcc_pearson": result.pearson,
        "mcc_pearson_se": result.pearson_se,
        "mcc_spearman": result.spearman,
        "mcc_spearman_se": result.spearman_se,
    }
    arrays = {
        "pearson": Array(result.pearson_DF, LATENT_FACTOR, "1", "correlation of the latent and the factor"),
        "spearman": Array(result.spearman_DF, LATENT_FACTOR, "1", "rank correlation of the latent and the factor"),
        "mcc_latent": Array(result.latent_F, ("factor",), "1", "latent matched with the factor by MCC, -1 for none"),
    }
    return Measured(scores, arrays)


METRIC = Metric(
    name="mcc",
    scores={
        "mcc_pearson": Score(
            meaning="Mean absolute correlation of factors with latents matched one to one; 1 is best.",
            label="MCC (Pearson)",
            range=UNIT_RANGE,
        ),
        "mcc_spearman": Score(
            meaning="Mean absolute rank correlation of factors with latents matched one to one; 1 is best.",
            label="MCC (Spearman)",
            range=UNIT_RANGE,
        ),
    },
    measure=_measure,
    factors="any",
)
