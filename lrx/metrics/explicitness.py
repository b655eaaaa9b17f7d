"""Explicitness: area under the ROC curve of linear classifiers that read the factors from all latents.

Mean over factors and their values of the area under the curve (AUC) of a logistic regression on all latents; chance is
0.5. Source: Ridgeway & Mozer 2018 (arXiv 1802.05312), section 3; 10,000 training and 5,000 test points in Locatello et
al. 2019. N points, D latents, F factors, K values of a factor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.types import Array
from lrx.metrics.auroc import area_under_roc
from lrx.metrics.logistic import fit_logistic, standardise
from lrx.metrics.points import split_train_test
from lrx.metrics.record import UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Explicitness(NamedTuple):
    """Score, standard error over test points, AUC of each factor (F,), and whether every fit converged."""

    explicitness: float
    explicitness_se: float
    auc_F: np.ndarray
    converged: bool


def explicitness(codes: np.ndarray | Tensor, classes: np.ndarray | Tensor, *, num_train: int) -> Explicitness:
    """Return the explicitness of codes (N, D) about classes (N, F); the first `num_train` train, the others test.

    Latents are standardised by the training points. Values that all or none of the test points have do not count, and
    a factor without any other value has AUC NaN; without another factor score and error are NaN. The standard error
    holds the classifiers fixed (DeLong et al. 1988).
    ValueError as `lrx.metrics.points.split_train_test`.
    """
    train_ND, labels_NF, test_ND, truth_NF = split_train_test(codes, classes, num_train)
    train_ND, test_ND = standardise(train_ND, test_ND)
    auc_F, influence_N, converged = np.full(labels_NF.shape[1], math.nan), np.zeros(len(test_ND)), True
    for factor, (labels_N, truth_N) in enumerate(zip(labels_NF.T, truth_NF.T, strict=True)):
        model, fitted = fit_logistic(train_ND, labels_N)
        converged &= fitted
        probabilities_NK = model.predict_proba(test_ND)
        pairs = zip(model.classes_, probabilities_NK.T, strict=True)
        areas = [
            area_under_roc(score_N, truth_N == value) for value, score_N in pairs if 0 < (truth_N == value).mean() < 1
        ]
        if areas:
            auc_F[factor] = np.mean([area for area, _ in areas])
            influence_N += np.mean([influence for _, influence in areas], axis=0)
    defined = int(np.isfinite(auc_F).sum())
    if not defined:
        return Explicitness(math.nan, math.nan, auc_F, converged)
    return Explicitness(float(np.nanmean(auc_F)), float(np.linalg.norm(influence_N / defined)), auc_F, converged)


def _measure(points: Points, generator: torch.Generator) -> Measured:
    result = explicitness(points.codes_ND, points.classes_NF, num_train=points.num_train)
    auc = Array(result.auc_F, ("factor",), "1", "mean AUC over the factor's values, of a logistic regression")
    scores = {"explicitness": result.explicitness, "explicitness_se": result.explicitness_se}
    return Measured(scores, {"explicitness_auc": auc}, converged=result.converged)


METRIC = Metric(
    name="explicitness",
    scores={
        "explicitness": Score(
            meaning="Area under the ROC curve of linear classifiers of factors on all latents; 0.5 is chance, 1 best.",
            label="explicitness",
            range=UNIT_RANGE,
            chance=0.5,
        )
    },
    measure=_measure,
    position=8,
)
