"""FactorVAE metric: accuracy of predicting the factor that is held fixed from the latent that varies least.

A vote: fix one factor, take 64 points, and select the latent with the smallest variance relative to its variance over
all points. Each latent then predicts the factor that it was selected for most often in the training votes; the score is
the accuracy on other votes. Source: Kim & Mnih 2018 (arXiv 1802.05983), section 4; 10,000 and 5,000 votes, and latents
with a standard deviation below 0.05 left out, in Locatello et al. 2019. N points, D latents, F factors, V votes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.types import Array
from lrx.metrics.points import SharedValues, as_codes_and_classes, binomial_se, numpy_random
from lrx.metrics.record import LATENT_FACTOR, UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CHUNK = 2**22  # numbers held at once


class FactorVAE(NamedTuple):
    """Accuracy, standard error over evaluation votes, number of active latents, and training votes (D, F)."""

    factorvae: float
    factorvae_se: float
    num_active: int
    votes_DF: np.ndarray


def factorvae(
    codes: np.ndarray | Tensor,
    classes: np.ndarray | Tensor,
    *,
    train_votes: int,
    eval_votes: int,
    points_per_vote: int,
    dead_below: float,
    generator: torch.Generator,
) -> FactorVAE:
    """Return the metric on votes whose points are drawn, with replacement, from codes (N, D) with classes (N, F).

    The points of a vote are those of a uniform draw from the grid whenever the N points are, or are the grid itself;
    so every image is encoded once. Active latents are those of a standard deviation of at least `dead_below`; others
    are
    never selected. The score is 0 when there is none, and about 1 / F for codes without information.
    ValueError as `lrx.metrics.points.as_codes_and_classes`.
    """
    codes_ND, classes_NF = as_codes_and_classes(codes, classes)
    factors = classes_NF.shape[1]
    active = np.flatnonzero((codes_ND.std(axis=0, ddof=1) >= dead_below) & (np.ptp(codes_ND, axis=0) > 0))
    votes_DF = np.zeros((codes_ND.shape[1], factors), dtype=np.int64)
    if not len(active):
        return FactorVAE(0.0, 0.0, 0, votes_DF)
    random, shared = numpy_random(generator), SharedValues(classes_NF)
    scaled_ND = codes_ND[:, active] / codes_ND[:, active].std(axis=0, ddof=1)
    fixed_V = random.integers(factors, size=train_votes + eval_votes)
    selected = []
    rows = max(1, CHUNK // (points_per_vote * len(active)))
    for fixed in np.split(fixed_V, range(rows, len(fixed_V), rows)):
        base = random.integers(len(codes_ND), size=(len(fixed), 1)).repeat(points_per_vote, axis=1)
        points = shared.draw(base, fixed[:, None], random)
        selected.append(active[scaled_ND[points].var(axis=1).argmin(axis=1)])
    selected_V = np.concatenate(selected)
    np.add.at(votes_DF, (selected_V[:train_votes], fixed_V[:train_votes]), 1)
    accuracy = float((votes_DF.argmax(axis=1)[selected_V[train_votes:]] == fixed_V[train_votes:]).mean())
    return FactorVAE(accuracy, binomial_se(accuracy, eval_votes), len(active), votes_DF)


def _measure(points: Points, generator: torch.Generator) -> Measured:
    sizes = points.sizes
    result = factorvae(
        points.pool_MD,
        points.pool_classes_MF,
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
        ),
        "factorvae_latents_kept": Score(
            meaning="Latents whose standard deviation is large enough to be counted by FactorVAE.",
            label="latents counted by FactorVAE",
            has_se=False,
        ),
    },
    measure=_measure,
    votes=True,
    position=4,
)
