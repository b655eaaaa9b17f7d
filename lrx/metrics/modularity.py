"""Modularity: degree to which each latent carries information about a single factor.

Mean over latents of 1 - sum over k other than k* of I_jk^2 / ((F - 1) I_jk*^2), with I_jk the mutual information and k*
the factor for which it is largest. Source: Ridgeway & Mozer 2018 (arXiv 1802.05312), section 3; 20 bins and 10,000
points in Locatello et al. 2019. N points, D latents, F factors, K values of a factor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.statistics import mean_and_se
from lrx.metrics.information import discretize, information_array, mutual_information, pointwise
from lrx.metrics.points import as_codes_and_classes, numpy_random
from lrx.metrics.record import UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SHUFFLES, DEVIATIONS = 20, 6.0  # information counts above so many standard deviations over that of shuffled points


class Modularity(NamedTuple):
    """Score, standard error over points, number of informative latents, and mutual information (D, F) in nats."""

    modularity: float
    modularity_se: float
    num_informative_by_mi: int
    mutual_information_DF: np.ndarray


def modularity(
    codes: np.ndarray | Tensor, classes: np.ndarray | Tensor, *, bins: int, generator: torch.Generator
) -> Modularity:
    """Return the modularity of codes (N, D) with classes (N, F) over the informative latents: 0 without any, NaN for
    a single factor.

    A latent is informative when its mutual information with some factor is above that of shuffled points. Others are
    left out: counting finds (bins - 1)(K - 1) / 2N nats in noise, whose square is largest for the factor with the most
    values, so that constant latents would count as modular.
    The standard error is over points (delta method). ValueError as `lrx.metrics.points.as_codes_and_classes`.
    """
    codes_ND, classes_NF = as_codes_and_classes(codes, classes)
    bins_ND, random = discretize(codes_ND, bins), numpy_random(generator)
    values = [np.unique(labels_N, return_inverse=True)[1] for labels_N in classes_NF.T]
    information_DF = np.stack([mutual_information(bins_ND, values_N) for values_N in values], axis=1)
    informative_D = np.zeros(len(information_DF), dtype=bool)
    for factor, values_N in enumerate(values):
        chance = [mutual_information(bins_ND, random.permutation(values_N)) for _ in range(SHUFFLES)]
        limit_D = np.mean(chance, axis=0) + DEVIATIONS * np.std(chance, axis=0, ddof=1)
        informative_D |= information_DF[:, factor] > limit_D
    rows, best = np.flatnonzero(informative_D), information_DF.argmax(axis=1)
    if len(values) == 1:
        return Modularity(math.nan, math.nan, len(rows), information_DF)
    if not len(rows):
        return Modularity(0.0, 0.0, 0, information_DF)
    top_D = information_DF.max(axis=1)
    gradient_DF = np.zeros_like(information_DF)  # of the score by the information
    others = information_DF.shape[1] - 1
    shares = np.square(information_DF[rows] / top_D[rows, None])
    loss_D = (shares.sum(axis=1) - 1) / others
    gradient_DF[rows] = -2 * information_DF[rows] / np.square(top_D[rows, None]) / others
    gradient_DF[rows, best[rows]] = 2 * loss_D / top_D[rows]
    parts = [
        pointwise(bins_ND, values_N) @ gradient_D for values_N, gradient_D in zip(values, gradient_DF.T, strict=True)
    ]
    influence_N = np.sum(parts, axis=0) / len(rows)
    return Modularity(float(1 - loss_D.mean()), float(mean_and_se(influence_N)[1]), len(rows), information_DF)


def _measure(points: Points, generator: torch.Generator) -> Measured:
    first, bins = points.sizes.num_train, points.sizes.bins
    result = modularity(points.codes_ND[:first], points.classes_NF[:first], bins=bins, generator=generator)
    scores = {
        "modularity": result.modularity,
        "modularity_se": result.modularity_se,
        "modularity_latents_kept": float(result.num_informative_by_mi),
    }
    return Measured(scores, {"mutual_information": information_array(result.mutual_information_DF)})


METRIC = Metric(
    name="modularity",
    scores={
        "modularity": Score(
            meaning="Degree to which each latent carries information about a single factor; 1 is best.",
            label="modularity",
            range=UNIT_RANGE,
            compares_factors=True,
        ),
        "modularity_latents_kept": Score(
            meaning="Latents with more mutual information about some factor than chance, counted by modularity.",
            label="latents counted by modularity",
            has_se=False,
            compares_factors=True,
        ),
    },
    measure=_measure,
    maps={"mutual_information": "Mutual information"},
    position=7,
)
