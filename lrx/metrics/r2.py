"""Held-out R² of each factor from all latents: by a linear regression, and by boosted regression trees.

R² = 1 - sum (v - v_hat)² / sum (v - mean v)² over test points, mean over factors: 1 is exact, 0 the mean of the test
points, and below 0 worse than that mean. It is the score of block identifiability in causal representation learning
(von Kügelgen et al. 2021, arXiv 2106.04619, section 5). Trees: scikit-learn's histogram gradient boosting, its defaults
without early stopping. Of classes it takes their numbers, which is fair to ordered ones alone. N points, D latents,
F factors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.types import Array
from lrx.metrics.points import as_codes_and_factors, draw_seed, split_at
from lrx.metrics.record import Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class R2(NamedTuple):
    """Mean R² of the linear and the boosted regressions, standard errors over test points (regressions held fixed),
    and R² of each factor (F,)."""

    linear: float
    linear_se: float
    boosted: float
    boosted_se: float
    linear_F: np.ndarray
    boosted_F: np.ndarray


def r2(codes: np.ndarray | Tensor, factors: np.ndarray | Tensor, *, num_train: int, generator: torch.Generator) -> R2:
    """Return the scores of codes (N, D) and factors (N, F); the first `num_train` points train, the others test.

    A factor with one value among the test points has R² NaN, and is left out of the means.
    ValueError as `lrx.metrics.points.as_codes_and_factors` and `split_at`.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression

    train_ND, values_NF, test_ND, truth_NF = split_at(*as_codes_and_factors(codes, factors), num_train)
    trees = HistGradientBoostingRegressor(early_stopping=False, random_state=draw_seed(generator))
    scores = []
    for model in (LinearRegression(), trees):
        predicted = [model.fit(train_ND, values_N).predict(test_ND) for values_N in values_NF.T]
        pairs = [explained_variance(truth_N, guess_N) for truth_N, guess_N in zip(truth_NF.T, predicted, strict=True)]
        score_F, defined = np.array([score for score, _ in pairs]), [pair for pair in pairs if not math.isnan(pair[0])]
        if not defined:
            scores.append((math.nan, math.nan, score_F))
            continue
        influence_N = np.mean([influence for _, influence in defined], axis=0)
        scores.append((float(np.mean([score for score, _ in defined])), float(np.linalg.norm(influence_N)), score_F))
    (linear, linear_se, linear_F), (boosted, boosted_se, boosted_F) = scores
    return R2(linear, linear_se, boosted, boosted_se, linear_F, boosted_F)


def explained_variance(truth_N: np.ndarray, predicted_N: np.ndarray) -> tuple[float, np.ndarray]:
    """Return R² of a prediction, and the influence of each point (N,), whose norm is the standard error.

    NaN, with influence 0, where the truth does not vary.
    """
    square_N, error_N = np.square(truth_N - truth_N.mean()), np.square(truth_N - predicted_N)
    if truth_N.min() == truth_N.max():  # whose mean rounding may take from the value
        return math.nan, np.zeros(len(truth_N))
    unexplained = float(error_N.sum() / square_N.sum())
    return 1 - unexplained, (unexplained * square_N - error_N) / square_N.sum()


def pointwise_r2(truth_N: np.ndarray, predicted_N: np.ndarray) -> np.ndarray:
    """Return values at each point (N,) whose mean is R², and whose spread gives its error; 0 where R² is below 0."""
    share, influence_N = explained_variance(truth_N, predicted_N)
    return share + len(truth_N) * influence_N if share > 0 else np.zeros(len(truth_N))


def _measure(points: Points, generator: torch.Generator) -> Measured:
    result = r2(points.codes_ND, points.factors_NF, num_train=points.num_train, generator=generator)
    scores = {
        "r2_linear": result.linear,
        "r2_linear_se": result.linear_se,
        "r2_boosted": result.boosted,
        "r2_boosted_se": result.boosted_se,
    }
    description = "held-out R² of the factor from all latents, by {}"
    arrays = {
        "r2_linear_factor": Array(result.linear_F, ("factor",), "1", description.format("a linear regression")),
        "r2_boosted_factor": Array(result.boosted_F, ("factor",), "1", description.format("boosted regression trees")),
    }
    return Measured(scores, arrays)


METRIC = Metric(
    name="r2",
    scores={
        "r2_linear": Score(
            meaning="Held-out R² of factors from all latents by linear regression, mean over factors; 1 is best.",
            label="R² (linear)",
            range=(None, 1.0),
        ),
        "r2_boosted": Score(
            meaning="Held-out R² of factors from all latents by boosted trees, mean over factors; 1 is best.",
            label="R² (boosted)",
            range=(None, 1.0),
        ),
    },
    measure=_measure,
    factors="any",
)
