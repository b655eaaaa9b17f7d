"""Separated attribute predictability: how much better the best latent predicts a factor than the second best.

SAP = mean over factors of (S_1 - S_2), the two largest test accuracies among linear support vector machines that see
one latent each. Source: Kumar et al. 2018 (arXiv 1711.00848), section 3; C = 0.01, balanced classes, 10,000 training
and 5,000 test points in Locatello et al. 2019. N points, D latents, F factors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from sklearn.svm import LinearSVC
from torch import Tensor

from lrx.metrics.points import mean_se, split, whole_seed


class SAP(NamedTuple):
    """The score, its standard error over test points (the machines held fixed), and the accuracies (D, F)."""

    sap: float
    sap_se: float
    accuracy_DF: np.ndarray


def sap(
    codes: np.ndarray | Tensor,
    classes: np.ndarray | Tensor,
    *,
    num_train: int,
    penalty: float,
    generator: torch.Generator,
) -> SAP:
    """The gap of codes (N, D) and classes (N, F); the first `num_train` points train, the others test.

    The latents are not standardised, so their scale matters to the penalty, as in the study. A constant latent predicts
    the commonest value; a single latent is compared with such a one. ValueError as `lrx.metrics.points.split`.
    """
    train_ND, labels_NF, test_ND, truth_NF = split(codes, classes, num_train)
    seed = whole_seed(generator)
    latents, factors = train_ND.shape[1], labels_NF.shape[1]
    accuracy_DF, difference_N = np.zeros((latents, factors)), np.zeros(len(test_ND))
    for factor, (labels_N, truth_N) in enumerate(zip(labels_NF.T, truth_NF.T, strict=True)):
        values, counts = np.unique(labels_N, return_counts=True)
        commonest_N = truth_N == values[counts.argmax()]
        right = []
        for train_N, test_N in zip(train_ND.T, test_ND.T, strict=True):
            if np.ptp(train_N) == 0:
                right.append(commonest_N)
                continue
            machine = LinearSVC(C=penalty, class_weight="balanced", dual=False, random_state=seed)
            machine.fit(train_N[:, None], labels_N)
            right.append(machine.predict(test_N[:, None]) == truth_N)
        accuracy_DF[:, factor] = np.mean(right, axis=1)
        if latents == 1:
            right.append(commonest_N)
        first, second = np.argsort(-np.mean(right, axis=1), kind="stable")[:2]
        difference_N += (right[first].astype(float) - right[second]) / factors
    return SAP(float(difference_N.mean()), mean_se(difference_N), accuracy_DF)
