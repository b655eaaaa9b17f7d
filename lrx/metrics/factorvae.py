"""FactorVAE metric: does the latent that varies least name the factor that was held fixed?

A vote: fix one factor, take 64 points, and name the latent with the smallest variance relative to its variance over
all points. Each latent then stands for the factor it was named for most often in the training votes; the score is the
accuracy on other votes. Source: Kim & Mnih 2018 (arXiv 1802.05983), section 4; 10,000 and 5,000 votes, and latents
with a standard deviation below 0.05 left out, in Locatello et al. 2019. N points, D latents, F factors, V votes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lrx.metrics.points import SharedValues, binomial_se, checked, numpy_random

CHUNK = 2**22  # numbers held at once


class FactorVAE(NamedTuple):
    """The accuracy, its standard error over evaluation votes, the number of latents kept, and the votes (D, F)."""

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
    """The metric on votes whose points are drawn, with replacement, from the codes (N, D) with classes (N, F).

    The points of a vote are those of a uniform draw from the grid whenever the N points are, or are the grid itself;
    so every image is encoded once. The score is 0 when every latent's standard deviation is below `dead_below`, and
    about 1 / F for codes without information. ValueError as `lrx.metrics.points.checked`.
    """
    codes_ND, classes_NF = checked(codes, classes)
    factors = classes_NF.shape[1]
    active = np.flatnonzero((codes_ND.std(axis=0, ddof=1) >= dead_below) & (np.ptp(codes_ND, axis=0) > 0))
    votes_DF = np.zeros((codes_ND.shape[1], factors), dtype=np.int64)
    if not len(active):
        return FactorVAE(0.0, 0.0, 0, votes_DF)
    random, shared = numpy_random(generator), SharedValues(classes_NF)
    scaled_ND = codes_ND[:, active] / codes_ND[:, active].std(axis=0, ddof=1)
    fixed_V = random.integers(factors, size=train_votes + eval_votes)
    named = []
    rows = max(1, CHUNK // (points_per_vote * len(active)))
    for fixed in np.split(fixed_V, range(rows, len(fixed_V), rows)):
        base = random.integers(len(codes_ND), size=(len(fixed), 1)).repeat(points_per_vote, axis=1)
        points = shared.draw(base, fixed[:, None], random)
        named.append(active[scaled_ND[points].var(axis=1).argmin(axis=1)])
    named_V = np.concatenate(named)
    np.add.at(votes_DF, (named_V[:train_votes], fixed_V[:train_votes]), 1)
    accuracy = float((votes_DF.argmax(axis=1)[named_V[train_votes:]] == fixed_V[train_votes:]).mean())
    return FactorVAE(accuracy, binomial_se(accuracy, eval_votes), len(active), votes_DF)
