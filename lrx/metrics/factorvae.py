"""FactorVAE metric: accuracy of predicting the factor that is held fixed from the latent that varies least.

A vote: fix one factor, take 64 points, and select the latent with the smallest variance relative to its variance over
all points. Each latent then predicts the factor that it was selected for most often in the training votes; the score is
the accuracy on other votes. Source: Kim & Mnih 2018 (arXiv 1802.05983), section 4; 10,000 and 5,000 votes, and latents
with a standard deviation below 0.05 left out, in Locatello et al. 2019. N points, D latents, F factors, V votes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.types import Array
from lrx.metrics.points import numpy_random, split_train_test
from lrx.metrics.record import LATENT_FACTOR, UNIT_RANGE, Measured, Metric, Points, Score
from lrx.metrics.votes import SharedValues, accuracy_and_se

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CHUNK = 2**22  # numbers held at once


class FactorVAE(NamedTuple):
    """Accuracy, standard error over votes and test points, number of active latents, and training votes (D, F)."""

    factorvae: float
    factorvae_se: float
    num_active: int
    votes_DF: np.ndarray


def factorvae(
    codes: np.ndarray | Tensor,
    classes: np.ndarray | Tensor,
    *,
    num_train: int,
    train_votes: int,
    eval_votes: int,
    points_per_vote: int,
    dead_below: float,
    generator: torch.Generator,
) -> FactorVAE:
    """Return the metric of codes (N, D) with classes (N, F): training votes take their points from the first
    `num_train`, evaluation votes from the others, with replacement.

    Only points whose value of the fixed factor another one has are drawn, and only such factors are fixed. Active
    latents are those whose standard deviation over the training points is at least `dead_below`; others are never
    selected. The score is 0 when there is none, about 1 / F for codes without information, and NaN for a single factor.
    ValueError as `lrx.metrics.points.split_train_test`, and where no two points of a side share a value.
    """
    train_ND, labels_NF, test_ND, truth_NF = split_train_test(codes, classes, num_train)
    std_D = train_ND.std(axis=0, ddof=1)
    active = np.flatnonzero((std_D >= dead_below) & (np.ptp(train_ND, axis=0) > 0))
    votes_DF = np.zeros((train_ND.shape[1], labels_NF.shape[1]), dtype=np.int64)
    if not len(active):
        return FactorVAE(0.0, 0.0, 0, votes_DF)
    if labels_NF.shape[1] == 1:
        return FactorVAE(math.nan, math.nan, len(active), votes_DF)
    random = numpy_random(generator)

    def votes(codes_ND: np.ndarray, classes_NF: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        scaled_ND = codes_ND[:, active] / std_D[active]
        fixed_V, place_V = _votes(scaled_ND, SharedValues(classes_NF), count, points_per_vote, random)
        return fixed_V, active[place_V]

    fixed_V, selected_V = votes(train_ND, labels_NF, train_votes)
    np.add.at(votes_DF, (selected_V, fixed_V), 1)

    def correct(rows: np.ndarray, count: int) -> np.ndarray:
        fixed_V, selected_V = votes(test_ND[rows], truth_NF[rows], count)
        return np.asarray(votes_DF.argmax(axis=1)[selected_V] == fixed_V)

    accuracy, se = accuracy_and_se(correct, len(test_ND), eval_votes, random)
    return FactorVAE(accuracy, se, len(active), votes_DF)


def _votes(
    scaled_ND: np.ndarray, shared: SharedValues, count: int, points_per_vote: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the fixed factor of each vote (V,), and the column that varies least (V,)."""
    fixed_V = random.choice(shared.factors, size=count)
    selected = []
    rows = max(1, CHUNK // (points_per_vote * scaled_ND.shape[1]))
    for fixed in np.split(fixed_V, range(rows, count, rows)):
        base = shared.draw(fixed, random)[:, None].repeat(points_per_vote, axis=1)
        points = shared.sharing(base, fixed[:, None], random)
        selected.append(scaled_ND[points].var(axis=1).argmin(axis=1))
    return fixed_V, np.concatenate(selected)


def _measure(points: Points, generator: torch.Generator) -> Measured:
    sizes = points.sizes
    result = factorvae(
        points.codes_ND,
        points.classes_NF,
        num_train=points.num_train,
        train_votes=sizes.train_votes,
        eval_votes=sizes.eval_votes,
        points_per_vote=sizes.points_per_vote,
        dead_below=sizes.dead_below,
        generator=generator,
    )
    scores = {
        "factorvae": result.factorvae,
        "factorvae_se": result.factorvae_se,
        "factorvae_latents_kept": float(result.num_active),
    }
    votes = Array(result.votes_DF, LATENT_FACTOR, "1", "training votes for the latent")
    return Measured(scores, {"factorvae_votes": votes})


METRIC = Metric(
    name="factorvae",
    scores={
        "factorvae": Score(
            meaning="Accuracy of predicting the fixed factor from the latent that varies least; 1 is best.",
            label="FactorVAE",
            range=UNIT_RANGE,
            chance="1/F",
            compares_factors=True,
        ),
        "factorvae_latents_kept": Score(
            meaning="Latents whose standard deviation is large enough to be counted by FactorVAE.",
            label="latents counted by FactorVAE",
            has_se=False,
            compares_factors=True,
        ),
    },
    measure=_measure,
    votes=True,
    position=4,
)
