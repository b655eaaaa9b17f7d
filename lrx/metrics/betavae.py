"""BetaVAE metric: accuracy of predicting the factor that pairs share from the mean difference of their codes.

A vote: 64 pairs that share the value of one factor, and the mean of |z - z'| over them. A logistic regression from
these D numbers to the factor is fitted on training votes; the score is its accuracy on others. Source: Higgins et al.
2017 (beta-VAE), section 3; 10,000 and 5,000 votes in Locatello et al. 2019. N points, D latents, F factors, V votes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.metrics.logistic import fit_logistic, standardise
from lrx.metrics.points import numpy_random, split_train_test
from lrx.metrics.record import UNIT_RANGE, Measured, Metric, Points, Score
from lrx.metrics.votes import SharedValues, accuracy_and_se

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CHUNK = 2**22  # numbers held at once


class BetaVAE(NamedTuple):
    """Accuracy, standard error over votes and test points, and whether the regression converged."""

    betavae: float
    betavae_se: float
    converged: bool


def betavae(
    codes: np.ndarray | Tensor,
    classes: np.ndarray | Tensor,
    *,
    num_train: int,
    train_votes: int,
    eval_votes: int,
    pairs_per_vote: int,
    generator: torch.Generator,
) -> BetaVAE:
    """Return the metric of codes (N, D) with classes (N, F): training votes take their pairs from the first
    `num_train` points, evaluation votes from the others, with replacement; the points of a pair are distinct.

    Only points whose value of the fixed factor another one has are drawn, and only such factors are fixed. Codes
    are standardised by the training points, so that their scales do not matter to the penalty (C = 1). The score is
    about 1 / F for codes without information, and NaN for a single factor.
    ValueError as `lrx.metrics.points.split_train_test`, and where no two points of a side share a value.
    """
    train_ND, labels_NF, test_ND, truth_NF = split_train_test(codes, classes, num_train)
    if labels_NF.shape[1] == 1:
        return BetaVAE(math.nan, math.nan, True)
    random = numpy_random(generator)
    train_ND, test_ND = standardise(train_ND, test_ND)
    fixed_V, differences_VD = _votes(train_ND, SharedValues(labels_NF), train_votes, pairs_per_vote, random)
    model, converged = None, True
    if len(np.unique(fixed_V)) > 1:
        model, converged = fit_logistic(differences_VD, fixed_V)

    def correct(rows: np.ndarray, count: int) -> np.ndarray:
        truth_V, test_VD = _votes(test_ND[rows], SharedValues(truth_NF[rows]), count, pairs_per_vote, random)
        return np.asarray((fixed_V[0] if model is None else model.predict(test_VD)) == truth_V)

    accuracy, se = accuracy_and_se(correct, len(test_ND), eval_votes, random)
    return BetaVAE(accuracy, se, converged)


def _votes(
    codes_ND: np.ndarray, shared: SharedValues, count: int, pairs_per_vote: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the fixed factor of each vote (V,), and the mean absolute differences of its pairs (V, D)."""
    fixed_V = random.choice(shared.factors, size=count)
    differences = []
    rows = max(1, CHUNK // (pairs_per_vote * codes_ND.shape[1]))
    for fixed in np.split(fixed_V, range(rows, count, rows)):
        factors = fixed[:, None].repeat(pairs_per_vote, axis=1)
        one = shared.draw(factors, random)
        other = shared.partner(one, factors, random)
        differences.append(np.abs(codes_ND[one] - codes_ND[other]).mean(axis=1))
    return fixed_V, np.concatenate(differences)


def _measure(points: Points, generator: torch.Generator) -> Measured:
    sizes = points.sizes
    result = betavae(
        points.codes_ND,
        points.classes_NF,
        num_train=points.num_train,
        train_votes=sizes.train_votes,
        eval_votes=sizes.eval_votes,
        pairs_per_vote=sizes.points_per_vote,
        generator=generator,
    )
    return Measured({"betavae": result.betavae, "betavae_se": result.betavae_se}, converged=result.converged)


METRIC = Metric(
    name="betavae",
    scores={
        "betavae": Score(
            meaning="Accuracy of predicting the factor that pairs share from differences of their codes; 1 is best.",
            label="BetaVAE",
            range=UNIT_RANGE,
            chance="1/F",
            compares_factors=True,
        )
    },
    measure=_measure,
    votes=True,
    position=5,
)
