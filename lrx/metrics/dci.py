"""Disentanglement, completeness and informativeness, from the importances of gradient-boosted trees.

R_jk is the importance of latent j for factor k, each column summing to 1. Disentanglement is the mean over latents of
1 - H(R_j.) / log F, weighted by the importance of the latent; completeness the mean over factors of
1 - H(R_.k) / log D; informativeness the mean test accuracy, or of a continuous factor the test R² of regression trees,
at least 0. Source: Eastwood & Williams 2018, section 2; trees, 10,000
training and 5,000 test points in Locatello et al. 2019. N points, D latents, F factors.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.statistics import mean_and_se
from lrx.core.types import Array
from lrx.metrics.points import as_codes_and_kinds, draw_seed, split_at
from lrx.metrics.r2 import pointwise_r2
from lrx.metrics.record import LATENT_FACTOR, UNIT_RANGE, Measured, Metric, Points, Score
from lrx.metrics.regression_trees import regress
from lrx.metrics.trees import TREES, classify

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class DCI(NamedTuple):
    """Scores, importances (D, F), and test accuracy, or R², of each factor (F,).

    informativeness_se is over test points, the trees held fixed. The other two have no standard error, which would
    take trees on many training sets.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    informativeness_se: float
    importance_DF: np.ndarray
    accuracy_F: np.ndarray


def dci(
    codes: np.ndarray | Tensor,
    factors: np.ndarray | Tensor,
    *,
    num_train: int,
    trees: str,
    num_threads: int,
    continuous: np.ndarray | None = None,
    generator: torch.Generator,
) -> DCI:
    """Return the scores of codes (N, D) and factors (N, F); the first `num_train` points train, the others test.

    trees: `lightgbm`, or `sklearn` for the study's GradientBoostingClassifier, many times slower. num_threads: factors
    whose trees are grown at once. continuous: bool (F,), which factors are values and not classes; None for none.
    Without any information every score but the informativeness is 0. A single latent is complete, as if there were a
    second one that is constant; the disentanglement of a single factor, which compares factors, is NaN.
    ValueError for other trees, when lightgbm cannot be loaded, or as `lrx.metrics.points.as_codes_and_kinds` and
    `split_at`.
    """
    if trees not in TREES:
        raise ValueError(f"trees must be one of {', '.join(TREES)}, not {trees!r}")
    codes_ND, factors_NF, continuous_F = as_codes_and_kinds(codes, factors, continuous)
    train_ND, labels_NF, test_ND, truth_NF = split_at(codes_ND, factors_NF, num_train)
    seed, varying_D = draw_seed(generator), np.ptp(train_ND, axis=0) > 0
    importance_DF, right = np.zeros((train_ND.shape[1], labels_NF.shape[1])), []

    def grow(factor: int) -> tuple[np.ndarray, np.ndarray]:
        labels_N, importance_D = labels_NF[:, factor], np.zeros(0)
        data = train_ND[:, varying_D], test_ND[:, varying_D]
        if continuous_F[factor]:
            predicted_N = np.full(len(test_ND), labels_N.mean())
            if varying_D.any():
                predicted_N, importance_D = regress(data[0], labels_N, data[1], trees=trees, seed=seed)
            return pointwise_r2(truth_NF[:, factor], predicted_N), importance_D
        values, values_N = np.unique(labels_N, return_inverse=True)
        predicted_N = np.full(len(test_ND), np.bincount(values_N).argmax())
        if varying_D.any():
            predicted_N, importance_D = classify(data[0], values_N, data[1], trees=trees, seed=seed)
        return values[predicted_N] == truth_NF[:, factor], importance_D

    with ThreadPoolExecutor(num_threads) as threads:
        for factor, (right_N, importance_D) in enumerate(threads.map(grow, range(labels_NF.shape[1]))):
            importance_DF[varying_D, factor] = importance_D
            right.append(right_N)
    accuracy_F = np.mean(right, axis=1)
    return DCI(
        disentanglement=_concentration(importance_DF) if labels_NF.shape[1] > 1 else math.nan,
        completeness=_concentration(importance_DF.T),
        informativeness=float(accuracy_F.mean()),
        informativeness_se=float(mean_and_se(np.mean(right, axis=0))[1]),
        importance_DF=importance_DF,
        accuracy_F=accuracy_F,
    )


def _concentration(importance: np.ndarray) -> float:
    """Return the mean over rows of 1 - entropy / log(columns), weighted by the sums of the rows."""
    from scipy.stats import entropy

    weights = importance.sum(axis=1)
    positive = weights > 0
    if not positive.any():
        return 0.0
    columns = importance.shape[1]
    spread = entropy(importance[positive], axis=1) / np.log(columns) if columns > 1 else np.zeros(positive.sum())
    return float(np.average(1 - spread, weights=weights[positive]))


def _measure(points: Points, generator: torch.Generator) -> Measured:
    result = dci(
        points.codes_ND,
        points.factors_NF,
        num_train=points.num_train,
        trees=points.trees,
        num_threads=points.num_threads,
        continuous=points.continuous_F,
        generator=generator,
    )
    scores = {
        "dci_disentanglement": result.disentanglement,
        "dci_completeness": result.completeness,
        "dci_informativeness": result.informativeness,
        "dci_informativeness_se": result.informativeness_se,
    }
    description = f"importance of a latent in trees ({points.trees}) that predict the factor, a factor's sum being 1"
    arrays = {
        "dci_importance": Array(result.importance_DF, LATENT_FACTOR, "1", description),
        "dci_accuracy": Array(result.accuracy_F, ("factor",), "1", "test accuracy of the trees; R² of values"),
    }
    return Measured(scores, arrays)


METRIC = Metric(
    name="dci",
    scores={
        "dci_disentanglement": Score(
            meaning="Degree to which each latent is important for a single factor; 1 is best.",
            label="DCI disentanglement",
            range=UNIT_RANGE,
            has_se=False,
            compares_factors=True,
        ),
        "dci_completeness": Score(
            meaning="Degree to which a single latent is important for each factor; 1 is best.",
            label="DCI completeness",
            range=UNIT_RANGE,
            has_se=False,
        ),
        "dci_informativeness": Score(
            meaning="Accuracy of predicting factors from all latents; 1 is best.",
            label="DCI informativeness",
            range=UNIT_RANGE,
        ),
    },
    measure=_measure,
    factors="any",
    maps={"dci_importance": "DCI importance"},
    position=2,
)
