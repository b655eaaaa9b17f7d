"""Separated attribute predictability: accuracy of the best latent in predicting a factor beyond that of the second.

SAP = mean over factors of (S_1 - S_2), the two largest test accuracies among linear support vector machines that read
one latent each. Source: Kumar et al. 2018 (arXiv 1711.00848), section 3; C = 0.01, balanced classes, 10,000 training
and 5,000 test points in Locatello et al. 2019. N points, D latents, F factors.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.statistics import mean_and_se
from lrx.core.types import Array
from lrx.metrics.points import draw_seed, split_train_test
from lrx.metrics.record import LATENT_FACTOR, UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class SAP(NamedTuple):
    """Score, standard error over test points (classifiers held fixed), test accuracies (D, F), and convergence."""

    sap: float
    sap_se: float
    accuracy_DF: np.ndarray
    converged: bool


def sap(
    codes: np.ndarray | Tensor,
    classes: np.ndarray | Tensor,
    *,
    num_train: int,
    penalty: float,
    generator: torch.Generator,
) -> SAP:
    """Return the gap of codes (N, D) and classes (N, F); the first `num_train` points train, the others test.

    The latents are not standardised, so their scale matters to the penalty, as in the study. A constant latent predicts
    the commonest value; a single latent is compared with a constant one.
    ValueError as `lrx.metrics.points.split_train_test`.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    train_ND, labels_NF, test_ND, truth_NF = split_train_test(codes, classes, num_train)
    seed = draw_seed(generator)
    latents, factors = train_ND.shape[1], labels_NF.shape[1]
    accuracy_DF, difference_N, converged = np.zeros((latents, factors)), np.zeros(len(test_ND)), True
    for factor, (labels_N, truth_N) in enumerate(zip(labels_NF.T, truth_NF.T, strict=True)):
        values, counts = np.unique(labels_N, return_counts=True)
        commonest_N = truth_N == values[counts.argmax()]
        right = []
        for train_N, test_N in zip(train_ND.T, test_ND.T, strict=True):
            if np.ptp(train_N) == 0:
                right.append(commonest_N)
                continue
            classifier = LinearSVC(C=penalty, class_weight="balanced", dual=False, random_state=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the result says it instead
                classifier.fit(train_N[:, None], labels_N)
            converged &= bool(classifier.n_iter_ < classifier.max_iter)
            right.append(classifier.predict(test_N[:, None]) == truth_N)
        accuracy_DF[:, factor] = np.mean(right, axis=1)
        if latents == 1:
            right.append(commonest_N)
        first, second = np.argsort(-np.mean(right, axis=1), kind="stable")[:2]
        difference_N += (right[first].astype(float) - right[second]) / factors
    score, se = mean_and_se(difference_N)
    return SAP(float(score), float(se), accuracy_DF, converged)


def _measure(points: Points, generator: torch.Generator) -> Measured:
    sizes = points.sizes
    data = points.codes_ND, points.classes_NF
    result = sap(*data, num_train=points.num_train, penalty=sizes.sap_penalty, generator=generator)
    accuracy = Array(result.accuracy_DF, LATENT_FACTOR, "1", "test accuracy of a linear classifier on one latent")
    return Measured({"sap": result.sap, "sap_se": result.sap_se}, {"sap_accuracy": accuracy}, result.converged)


METRIC = Metric(
    name="sap",
    scores={
        "sap": Score(
            meaning="Accuracy of the best latent in predicting a factor beyond that of the second; larger is better.",
            label="SAP",
            range=UNIT_RANGE,
        )
    },
    measure=_measure,
    maps={"sap_accuracy": "SAP accuracy"},
    position=3,
)
