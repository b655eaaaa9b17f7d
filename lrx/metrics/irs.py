"""Interventional robustness: constancy of a latent while all factors but its own change.

R_jk = 1 - mean over values v of factor k of q_99 |z_j - E[z_j | v]| / max |z_j - E z_j|; the score is the mean over
latents of max_k R_jk, weighted by max |z_j - E z_j|. The mean is the expectation over the factor: each value counts by
its share of the points, equally on a grid, little where it is rare (a single point deviates from its own mean by
nothing). Source: Suter et al. 2019 (arXiv 1811.00007), section 4, with the 99 % quantile of Locatello et al. 2019.
N points, D latents, F factors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.types import Array
from lrx.metrics.points import as_codes_and_classes
from lrx.metrics.record import LATENT_FACTOR, UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class IRS(NamedTuple):
    """Score, number of latents that vary, robustness (D, F), and largest deviation (D,).

    There is no standard error: the largest deviation is an extreme value, for which neither the bootstrap nor the
    jackknife holds.
    """

    irs: float
    num_active: int
    irs_DF: np.ndarray
    deviation_D: np.ndarray


def irs(codes: np.ndarray | Tensor, classes: np.ndarray | Tensor, *, quantile: float) -> IRS:
    """Return the robustness of codes (N, D) to the factors of classes (N, F); 0 when no latent varies.

    A constant latent has the row 0 and no weight. ValueError as `lrx.metrics.points.as_codes_and_classes`.
    """
    codes_ND, classes_NF = as_codes_and_classes(codes, classes)
    deviation_D = np.abs(codes_ND - codes_ND.mean(axis=0)).max(axis=0)
    active_D = np.ptp(codes_ND, axis=0) > 0
    deviation_D[~active_D] = 0
    irs_DF = np.zeros((codes_ND.shape[1], classes_NF.shape[1]))
    for factor, labels_N in enumerate(classes_NF.T):
        values, counts = np.unique(labels_N, return_counts=True)
        groups = [codes_ND[labels_N == value][:, active_D] for value in values]
        quantiles = [np.quantile(np.abs(group - group.mean(axis=0)), quantile, axis=0) for group in groups]
        irs_DF[active_D, factor] = 1 - np.average(quantiles, axis=0, weights=counts) / deviation_D[active_D]
    score = float(np.average(irs_DF.max(axis=1), weights=deviation_D)) if active_D.any() else 0.0
    return IRS(score, int(active_D.sum()), irs_DF, deviation_D)


def _measure(points: Points, generator: torch.Generator) -> Measured:
    first, quantile = points.sizes.num_train, points.sizes.irs_quantile
    result = irs(points.codes_ND[:first], points.classes_NF[:first], quantile=quantile)
    description = "1 - deviation of a latent while a factor is fixed, over its largest deviation"
    return Measured({"irs": result.irs}, {"irs_matrix": Array(result.irs_DF, LATENT_FACTOR, "1", description)})


METRIC = Metric(
    name="irs",
    scores={
        "irs": Score(
            meaning="Constancy of a latent while all factors but its own change; 1 is best.",
            label="IRS",
            range=UNIT_RANGE,
            has_se=False,
        )
    },
    measure=_measure,
    maps={"irs_matrix": "IRS robustness"},
    position=6,
)
