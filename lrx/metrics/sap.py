"""Separated attribute predictability: accuracy of the best latent in predicting a factor beyond that of the second.

SAP = mean over factors of (S_1 - S_2), the two largest test accuracies among linear support vector machines that read
one latent each. Source: Kumar et al. 2018 (arXiv 1711.00848), section 3; C = 0.01, balanced classes, 10,000 training
and 5,000 test points in Locatello et al. 2019. Of a continuous factor, S is the R² of a line on test points, at least 0
(Kumar et al.: the squared correlation). N points, D latents, F factors.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.statistics import mean_and_se
from lrx.core.types import Array
from lrx.metrics.points import as_codes_and_kinds, draw_seed, split_at
from lrx.metrics.r2 import pointwise_r2
from lrx.metrics.record import LATENT_FACTOR, UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class SAP(NamedTuple):
    """Score, standard error over test points (classifiers held fixed), test accuracies, or R², (D, F), and
    convergence."""

    sap: float
    sap_se: float
    accuracy_DF: np.ndarray
    converged: bool


def sap(
    codes: np.ndarray | Tensor,
    factors: np.ndarray | Tensor,
    *,
    num_train: int,
    penalty: float,
    continuous: np.ndarray | None = None,
    generator: torch.Generator,
) -> SAP:
    """Return the gap of codes (N, D) and factors (N, F); the first `num_train` points train, the others test.

    continuous: bool (F,), which factors are values and not classes; None for none.
    The latents are not standardised, so their scale matters to the penalty, as in the study. A constant latent predicts
    the commonest value, or the mean; a single latent is compared with a constant one.
    ValueError as `lrx.metrics.points.as_codes_and_kinds` and `split_at`.
    """
    codes_ND, factors_NF, continuous_F = as_codes_and_kinds(codes, factors, continuous)
    train_ND, values_NF, test_ND, truth_NF = split_at(codes_ND, factors_NF, num_train)
    seed, num_latents = draw_seed(generator), train_ND.shape[1]
    accuracy_DF, difference_N = np.zeros((num_latents, values_NF.shape[1])), np.zeros(len(test_ND))
    converged = True
    for factor, (values_N, truth_N) in enumerate(zip(values_NF.T, truth_NF.T, strict=True)):
        if continuous_F[factor]:
            reads = [_explained(*latent, values_N, truth_N) for latent in zip(train_ND.T, test_ND.T, strict=True)]
            constant_N = np.zeros(len(truth_N))
        else:
            levels, counts = np.unique(values_N, return_counts=True)
            constant_N = (truth_N == levels[counts.argmax()]).astype(float)
            reads = []
            for train_N, test_N in zip(train_ND.T, test_ND.T, strict=True):
                right_N, fitted = constant_N, True
                if np.ptp(train_N):
                    right_N, fitted = _right(train_N, test_N, values_N, truth_N, penalty, seed)
                reads.append(right_N)
                converged &= fitted
        accuracy_DF[:, factor] = np.mean(reads, axis=1)
        if num_latents == 1:
            reads.append(constant_N)
        first, second = np.argsort(-np.mean(reads, axis=1), kind="stable")[:2]
        difference_N += (reads[first] - reads[second]) / values_NF.shape[1]
    score, se = mean_and_se(difference_N)
    return SAP(float(score), float(se), accuracy_DF, converged)


def _right(
    train_N: np.ndarray, test_N: np.ndarray, labels_N: np.ndarray, truth_N: np.ndarray, penalty: float, seed: int
) -> tuple[np.ndarray, bool]:
    """Return 1 for each test point that a linear classifier on one latent is right about, else 0; and convergence."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    classifier = LinearSVC(C=penalty, class_weight="balanced", dual=False, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the result says it instead
        classifier.fit(train_N[:, None], labels_N)
    right_N = np.asarray(classifier.predict(test_N[:, None]) == truth_N, dtype=float)
    return right_N, bool(classifier.n_iter_ < classifier.max_iter)


def _explained(train_N: np.ndarray, test_N: np.ndarray, values_N: np.ndarray, truth_N: np.ndarray) -> np.ndarray:
    """Return values at each test point whose mean is R² of a line, and whose spread gives its error; 0 below 0."""
    centred_N = train_N - train_N.mean() if np.ptp(train_N) else np.zeros(len(train_N))
    slope = float(centred_N @ values_N / max(centred_N @ centred_N, np.finfo(float).tiny))
    return pointwise_r2(truth_N, values_N.mean() + slope * (test_N - train_N.mean()))


def _measure(points: Points, generator: torch.Generator) -> Measured:
    result = sap(
        points.codes_ND,
        points.factors_NF,
        num_train=points.num_train,
        penalty=points.sizes.sap_penalty,
        continuous=points.continuous_F,
        generator=generator,
    )
    description = "test accuracy of a linear classifier on one latent; of a continuous factor, R² of a line"
    accuracy = Array(result.accuracy_DF, LATENT_FACTOR, "1", description)
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
    factors="any",
    maps={"sap_accuracy": "SAP accuracy"},
    position=3,
)
