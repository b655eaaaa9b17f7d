"""Logistic regressions of metrics: codes standardised by the training points, and whether the fit converged.

N points, D latents.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

ITERATIONS = 1000  # scikit-learn's default, 100, is not always enough


def standardise(train_ND: np.ndarray, test_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return codes with the mean 0 and the deviation 1 of each latent over the training points; constant ones are 0."""
    spread_D = train_ND.std(axis=0)
    spread_D[np.ptp(train_ND, axis=0) == 0] = math.inf
    return (train_ND - train_ND.mean(axis=0)) / spread_D, (test_ND - train_ND.mean(axis=0)) / spread_D


def fit_logistic(
    train_ND: np.ndarray, labels_N: np.ndarray, *, penalty: float = 1.0
) -> tuple[LogisticRegression, bool]:
    """Return the regression, and whether it converged in `ITERATIONS`. penalty: 1/C, scikit-learn's 1 or 0 for none."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / penalty if penalty else math.inf, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the result says it instead
        # of few points of a factor of many values; classes they are all the same
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)
        model.fit(train_ND, labels_N)
    return model, bool(model.n_iter_.max() < ITERATIONS)
