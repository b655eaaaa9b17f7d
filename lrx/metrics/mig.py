"""Mutual information gap: information about a factor in the best latent beyond that in the second best.

MIG = mean over factors of (I_1 - I_2) / H, with I_1 >= I_2 the two largest mutual informations of a latent and the
factor, and H the entropy of the factor. Source: Chen et al. 2018 (arXiv 1802.04942), section 4; 20 bins and 10,000
points in Locatello et al.
2019 (arXiv 1811.12359), appendix B. N points, D latents, F factors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.statistics import mean_and_se
from lrx.core.types import Array
from lrx.metrics.information import discretize, information_array, pointwise, surprise
from lrx.metrics.points import as_codes_and_classes
from lrx.metrics.record import UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class MIG(NamedTuple):
    """Score, standard error, gap of each factor (F,), and mutual information (D, F) in nats."""

    mig: float
    mig_se: float
    gap_F: np.ndarray
    mutual_information_DF: np.ndarray


def mig(codes: np.ndarray | Tensor, classes: np.ndarray | Tensor, *, bins: int) -> MIG:
    """Return the gap of codes (N, D) and classes (N, F); a single latent is compared with an uninformative one.

    The standard error is over points (delta method on the counts); near 0, where chance selects the two best latents,
    it is up to 1.5 times too large. ValueError as `lrx.metrics.points.as_codes_and_classes`.
    """
    codes_ND, classes_NF = as_codes_and_classes(codes, classes)
    bins_ND = discretize(codes_ND, bins)
    if bins_ND.shape[1] == 1:
        bins_ND = np.concatenate([bins_ND, np.zeros_like(bins_ND)], axis=1)
    information, gaps, influence_N = [], [], np.zeros(len(codes_ND))
    for labels_N in classes_NF.T:
        values_N = np.unique(labels_N, return_inverse=True)[1]
        pointwise_ND, surprise_N = pointwise(bins_ND, values_N), surprise(values_N)
        information_D, entropy = pointwise_ND.mean(axis=0), surprise_N.mean()
        first, second = np.argsort(-information_D, kind="stable")[:2]
        gap = (information_D[first] - information_D[second]) / entropy
        influence_N += (pointwise_ND[:, first] - pointwise_ND[:, second] - gap * surprise_N) / entropy
        information.append(information_D[: codes_ND.shape[1]])
        gaps.append(gap)
    gap_F = np.array(gaps)
    return MIG(
        mig=float(gap_F.mean()),
        mig_se=float(mean_and_se(influence_N / len(gap_F))[1]),
        gap_F=gap_F,
        mutual_information_DF=np.stack(information, axis=1),
    )


def _measure(points: Points, generator: torch.Generator) -> Measured:
    first, bins = points.sizes.num_train, points.sizes.bins
    result = mig(points.codes_ND[:first], points.classes_NF[:first], bins=bins)
    arrays = {
        "mutual_information": information_array(result.mutual_information_DF),
        "mig_gap": Array(result.gap_F, ("factor",), "1", "gap of information of the two best latents, over entropy"),
    }
    return Measured({"mig": result.mig, "mig_se": result.mig_se}, arrays)


METRIC = Metric(
    name="mig",
    scores={
        "mig": Score(
            meaning="Mutual information about a factor in the best latent beyond that in the second; 1 is best.",
            label="MIG",
            range=UNIT_RANGE,
        )
    },
    measure=_measure,
    maps={"mutual_information": "Mutual information"},
    position=1,
)
