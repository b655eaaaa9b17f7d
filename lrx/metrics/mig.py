"""Mutual information gap: how much more the best latent knows of a factor than the second best.

MIG = mean over factors of (I_1 - I_2) / H, with I_1 >= I_2 the largest informations that latents have about the factor
and H its entropy. Source: Chen et al. 2018 (arXiv 1802.04942), section 4; 20 bins and 10,000 points in Locatello et al.
2019 (arXiv 1811.12359), appendix B. N points, D latents, F factors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from lrx.metrics.information import discretize, pointwise, surprise
from lrx.metrics.points import checked, mean_se


class MIG(NamedTuple):
    """The score, its standard error, the gap of each factor (F,), and the information (D, F) in nats."""

    mig: float
    mig_se: float
    gap_F: np.ndarray
    mutual_information_DF: np.ndarray


def mig(codes: np.ndarray | Tensor, classes: np.ndarray | Tensor, *, bins: int) -> MIG:
    """The gap of codes (N, D) and classes (N, F); a single latent is compared with one that knows nothing.

    The standard error is that of the points (delta method on the counts); near 0, where the two best latents are a
    matter of chance, it is up to 1.5 times too large.
    ValueError as `lrx.metrics.points.checked`.
    """
    codes_ND, classes_NF = checked(codes, classes)
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
    return MIG(float(gap_F.mean()), mean_se(influence_N / len(gap_F)), gap_F, np.stack(information, axis=1))
