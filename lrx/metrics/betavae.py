"""BetaVAE metric: accuracy of predicting the factor that pairs share from the mean difference of their codes.

A vote: 64 pairs that share the value of one factor, and the mean of |z - z'| over them. A logistic regression from
these D numbers to the factor is fitted on training votes; the score is its accuracy on others. Source: Higgins et al.
2017 (beta-VAE), section 3; 10,000 and 5,000 votes in Locatello et al. 2019. N points, D latents, F factors, V votes.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.metrics.points import SharedValues, as_codes_and_classes, binomial_se, numpy_random
from lrx.metrics.record import UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CHUNK = 2**22  # numbers held at once
ITERATIONS = 1000  # scikit-learn's default, 100, is not always enough for the raw differences


class BetaVAE(NamedTuple):
    """Accuracy, standard error over evaluation votes, and whether the regression converged."""

    betavae: float
    betavae_se: float
    converged: bool


def betavae(
    codes: np.ndarray | Tensor,
    classes: np.ndarray | Tensor,
    *,
    train_votes: int,
    eval_votes: int,
    pairs_per_vote: int,
    generator: torch.Generator,
) -> BetaVAE:
    """Return the metric on votes whose pairs are drawn, with replacement, from codes (N, D) with classes (N, F).

    The differences are not standardised, so a latent's scale matters to the penalty (C = 1), as in the study. The
    score of
    a single factor is 1. ValueError as `lrx.metrics.points.as_codes_and_classes`.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    codes_ND, classes_NF = as_codes_and_classes(codes, classes)
    factors = classes_NF.shape[1]
    random, shared = numpy_random(generator), SharedValues(classes_NF)
    fixed_V = random.integers(factors, size=train_votes + eval_votes)
    differences = []
    rows = max(1, CHUNK // (pairs_per_vote * codes_ND.shape[1]))
    for fixed in np.split(fixed_V, range(rows, len(fixed_V), rows)):
        one = random.integers(len(codes_ND), size=(len(fixed), pairs_per_vote))
        other = shared.draw(one, fixed[:, None], random)
        differences.append(np.abs(codes_ND[one] - codes_ND[other]).mean(axis=1))
    differences_VD = np.concatenate(differences)
    if len(np.unique(fixed_V[:train_votes])) < 2:
        accuracy, converged = float((fixed_V[train_votes:] == fixed_V[0]).mean()), True
    else:
        model = LogisticRegression(max_iter=ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the result says it instead
            model.fit(differences_VD[:train_votes], fixed_V[:train_votes])
        converged = bool(model.n_iter_.max() < ITERATIONS)
        accuracy = float((model.predict(differences_VD[train_votes:]) == fixed_V[train_votes:]).mean())
    return BetaVAE(accuracy, binomial_se(accuracy, eval_votes), converged)


def _measure(points: Points, generator: torch.Generator) -> Measured:
    sizes = points.sizes
    result = betavae(
        points.pool_MD,
        points.pool_classes_MF,
        train_votes=sizes.train_votes,
        eval_votes=sizes.eval_votes,
        pairs_per_vote=sizes.points_per_vote,
        generator=generator,
    )
    return Measured({"betavae": result.betavae, "betavae_se": result.betavae_se})


METRIC = Metric(
    name="betavae",
    scores={
        "betavae": Score(
            meaning="Accuracy of predicting the factor that pairs share from differences of their codes; 1 is best.",
            label="BetaVAE",
            range=UNIT_RANGE,
            chance="1/F",
        )
    },
    measure=_measure,
    votes=True,
    position=5,
)
