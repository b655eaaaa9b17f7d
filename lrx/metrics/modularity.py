"""Modularity: does a latent know of one factor only? Explicitness: can a linear classifier read the factors off?

Modularity is the mean over latents of 1 - sum over k other than k* of I_jk^2 / ((F - 1) I_jk*^2), with I_jk the
mutual information and k* its largest factor. Explicitness is the mean over factors and their values of the area under
the curve (AUC) of a logistic regression on all latents; chance is 0.5. Source: Ridgeway & Mozer 2018
(arXiv 1802.05312), section 3; 20 bins, 10,000 training and 5,000 test points in Locatello et al. 2019.
N points, D latents, F factors, K values of a factor.
"""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lrx.metrics.information import discretize, mutual_information, pointwise
from lrx.metrics.points import checked, mean_se, numpy_random, split

SHUFFLES, DEVIATIONS = 20, 6.0  # a latent knows of a factor so many standard deviations above its shuffled self
ITERATIONS = 1000


class Modularity(NamedTuple):
    """The score, its standard error over points, how many latents know of any factor, and the information (D, F)."""

    modularity: float
    modularity_se: float
    num_informed: int
    mutual_information_DF: np.ndarray


class Explicitness(NamedTuple):
    """The score, its standard error over test points, the AUC of each factor (F,), whether every fit converged."""

    explicitness: float
    explicitness_se: float
    auc_F: np.ndarray
    converged: bool


def modularity(
    codes: np.ndarray | Tensor, classes: np.ndarray | Tensor, *, bins: int, generator: torch.Generator
) -> Modularity:
    """The modularity of the latents of codes (N, D) that know of some factor of classes (N, F); 0 when none does.

    Latents whose information is that of shuffled points are left out: counting finds (bins - 1)(K - 1) / 2N nats in
    noise, whose square is largest for the factor with the most values, so dead latents would pass for modular.
    The standard error is that of the points (delta method). ValueError as `lrx.metrics.points.checked`.
    """
    codes_ND, classes_NF = checked(codes, classes)
    bins_ND, random = discretize(codes_ND, bins), numpy_random(generator)
    values = [np.unique(labels_N, return_inverse=True)[1] for labels_N in classes_NF.T]
    information_DF = np.stack([mutual_information(bins_ND, values_N) for values_N in values], axis=1)
    informed_D = np.zeros(len(information_DF), dtype=bool)
    for factor, values_N in enumerate(values):
        chance = [mutual_information(bins_ND, random.permutation(values_N)) for _ in range(SHUFFLES)]
        limit_D = np.mean(chance, axis=0) + DEVIATIONS * np.std(chance, axis=0, ddof=1)
        informed_D |= information_DF[:, factor] > limit_D
    informed, best = np.flatnonzero(informed_D), information_DF.argmax(axis=1)
    if not len(informed):
        return Modularity(0.0, 0.0, 0, information_DF)
    top_D = information_DF.max(axis=1)
    gradient_DF = np.zeros_like(information_DF)  # of the score by the information
    others = max(1, information_DF.shape[1] - 1)
    shares = np.square(information_DF[informed] / top_D[informed, None])
    loss_D = (shares.sum(axis=1) - 1) / others
    gradient_DF[informed] = -2 * information_DF[informed] / np.square(top_D[informed, None]) / others
    gradient_DF[informed, best[informed]] = 2 * loss_D / top_D[informed]
    parts = [
        pointwise(bins_ND, values_N) @ gradient_D for values_N, gradient_D in zip(values, gradient_DF.T, strict=True)
    ]
    influence_N = np.sum(parts, axis=0) / len(informed)
    return Modularity(float(1 - loss_D.mean()), mean_se(influence_N), len(informed), information_DF)


def explicitness(codes: np.ndarray | Tensor, classes: np.ndarray | Tensor, *, num_train: int) -> Explicitness:
    """The explicitness of codes (N, D) about classes (N, F); the first `num_train` points train, the others test.

    Latents are standardised by the training points. A value's column is the one that the classifier learned for it,
    whatever values the test points have; values that all or none of the test points have do not count, and a factor
    without any that does has AUC NaN. The standard error holds the classifiers fixed (DeLong et al. 1988).
    ValueError as `lrx.metrics.points.split`.
    """
    train_ND, labels_NF, test_ND, truth_NF = split(codes, classes, num_train)
    spread_D = train_ND.std(axis=0)
    spread_D[np.ptp(train_ND, axis=0) == 0] = math.inf  # a constant latent stays 0
    train_ND, test_ND = ((part_ND - train_ND.mean(axis=0)) / spread_D for part_ND in (train_ND, test_ND))
    auc_F, influence_N, converged = np.full(labels_NF.shape[1], math.nan), np.zeros(len(test_ND)), True
    for factor, (labels_N, truth_N) in enumerate(zip(labels_NF.T, truth_NF.T, strict=True)):
        model = LogisticRegression(max_iter=ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said in the result instead
            model.fit(train_ND, labels_N)
        converged &= bool(model.n_iter_.max() < ITERATIONS)
        chances_NK = model.predict_proba(test_ND)
        pairs = zip(model.classes_, chances_NK.T, strict=True)
        areas = [_area(chance_N, truth_N == value) for value, chance_N in pairs if 0 < (truth_N == value).mean() < 1]
        if areas:
            auc_F[factor] = np.mean([area for area, _ in areas])
            influence_N += np.mean([influence for _, influence in areas], axis=0)
    known = max(1, int(np.isfinite(auc_F).sum()))
    score = float(np.nanmean(auc_F)) if np.isfinite(auc_F).any() else math.nan
    return Explicitness(score, float(np.linalg.norm(influence_N / known)), auc_F, converged)


def _area(score_N: np.ndarray, positive_N: np.ndarray) -> tuple[float, np.ndarray]:
    """Area under the ROC curve, ties counted half, and the influence of each point (N,), whose norm is its error."""
    ranks_N, positives = rankdata(score_N), int(positive_N.sum())
    negatives = len(score_N) - positives
    placement_N = np.empty(len(score_N))  # the share of the other kind that a point is on the right side of
    placement_N[positive_N] = (ranks_N[positive_N] - rankdata(score_N[positive_N])) / negatives
    placement_N[~positive_N] = 1 - (ranks_N[~positive_N] - rankdata(score_N[~positive_N])) / positives
    area = float(placement_N[positive_N].mean())
    return area, (placement_N - area) / np.where(positive_N, positives, negatives)
