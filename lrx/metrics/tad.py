"""Total AUROC difference: detection of binary attributes by the best latent beyond that by the second best.

A_jk = max(a, 1 - a) with a the area under the ROC curve of latent j as a detector of attribute k. TAD = sum of
A_1k - A_2k, the two largest, over the attributes that count: those with A_1k >= 0.75, and of whose entropy no other
attribute explains more than 0.2. It is a sum, so models are compared on the same attributes, with the number that count
beside it. Source: Yeats et al. 2022 ("NashAE", ECCV; arXiv 2209.10677), section 4 and the published CelebA evaluation.
Here the areas are exact (there, sums over a grid of thresholds, and 0.5 for a latent whose range is at most 0.2, which
depends on the scale of the codes). N points, D latents, F attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.types import Array
from lrx.metrics.auroc import area_under_roc
from lrx.metrics.information import mutual_information, surprise
from lrx.metrics.points import as_codes_and_classes
from lrx.metrics.record import LATENT_FACTOR, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DETECTED, EXPLAINED = 0.75, 0.2


class TAD(NamedTuple):
    """Sum, its standard error, which attributes count (F,), their share of entropy that another explains (F,), and
    areas (D, F).

    The standard error is over points (DeLong et al. 1988), the choice of attributes and latents held fixed; near
    A_1k = A_2k, where chance selects the latents, it is too small.
    """

    tad: float
    tad_se: float
    counted_F: np.ndarray
    explained_F: np.ndarray
    auroc_DF: np.ndarray


def tad(codes: np.ndarray | Tensor, classes: np.ndarray | Tensor) -> TAD:
    """Return the score of codes (N, D) about binary classes (N, F); a single latent is compared with area 0.5.

    ValueError for a factor with other than two values, and as `lrx.metrics.points.as_codes_and_classes`.
    """
    codes_ND, classes_NF = as_codes_and_classes(codes, classes)
    values = [np.unique(column, return_inverse=True) for column in classes_NF.T]
    if any(len(levels) != 2 for levels, _ in values):
        raise ValueError(f"TAD is of attributes with two values, not {max(len(levels) for levels, _ in values)}")
    binary_NF = np.stack([places for _, places in values], axis=1)
    explained_F = _explained(binary_NF)
    auroc_DF = np.full((codes_ND.shape[1], len(explained_F)), 0.5)
    gap_F, influence_NF = np.zeros(len(explained_F)), np.zeros(binary_NF.shape)
    for factor, binary_N in enumerate(binary_NF.T):
        areas, influences = [0.5], [np.zeros(len(binary_N))]  # of no latent
        for latent, code_N in enumerate(codes_ND.T):
            area, influence_N = area_under_roc(code_N, binary_N == 1)
            sign = 1 if area >= 0.5 else -1
            auroc_DF[latent, factor] = 0.5 + sign * (area - 0.5)
            areas.append(auroc_DF[latent, factor])
            influences.append(sign * influence_N)
        first, second = np.argsort(-np.array(areas), kind="stable")[:2]
        gap_F[factor] = areas[first] - areas[second]
        influence_NF[:, factor] = influences[first] - influences[second]
    counted_F = (auroc_DF.max(axis=0) >= DETECTED) & (explained_F <= EXPLAINED)
    se = float(np.linalg.norm(influence_NF[:, counted_F].sum(axis=1)))
    return TAD(float(gap_F[counted_F].sum()), se, counted_F, explained_F, auroc_DF)


def _explained(binary_NF: np.ndarray) -> np.ndarray:
    """Return the largest share of each attribute's entropy that one of the others explains (F,); 0 for a single one."""
    shares = [mutual_information(binary_NF, column_N) / surprise(column_N).mean() for column_N in binary_NF.T]
    share_FF = np.array(shares)
    np.fill_diagonal(share_FF, 0)
    return np.asarray(share_FF.max(axis=1))


def _measure(points: Points, generator: torch.Generator) -> Measured:
    first = points.sizes.num_train
    result = tad(points.codes_ND[:first], points.classes_NF[:first])
    scores = {"tad": result.tad, "tad_se": result.tad_se, "tad_attributes": float(result.counted_F.sum())}
    areas = Array(result.auroc_DF, LATENT_FACTOR, "1", "area under the ROC curve of the latent, or its negative")
    explained = Array(result.explained_F, ("factor",), "1", "largest share of entropy that another attribute explains")
    return Measured(scores, {"tad_auroc": areas, "tad_explained": explained})


METRIC = Metric(
    name="tad",
    scores={
        "tad": Score(
            meaning="Sum over detected binary attributes of the best latent's AUROC beyond that of the second; larger "
            "is better.",
            label="TAD",
            range=(0.0, None),
        ),
        "tad_attributes": Score(
            meaning="Binary attributes that TAD counts: detected by a latent, and not explained by another attribute.",
            label="attributes counted by TAD",
            has_se=False,
        ),
    },
    measure=_measure,
    maps={"tad_auroc": "AUROC"},
    factors="binary",
)
