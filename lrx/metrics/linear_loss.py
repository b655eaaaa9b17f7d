"""Loss of linear probes of factors on all latents, relative to that of probes that see nothing, on held-out points.

The loss of classes is the log loss of a multinomial logistic regression, without a penalty, on standardised latents;
that of continuous values is the squared error of a linear regression. N points, D latents, F factors, T test points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrx.metrics.logistic import fit_logistic, standardise
from lrx.metrics.points import split_at
from lrx.metrics.r2 import explained_variance


class LinearLoss(NamedTuple):
    """Share of the loss that the probes remove, mean over factors, its standard error over test points with the probes
    held fixed, that of each factor (F,), and whether every fit converged."""

    explained: float
    explained_se: float
    explained_F: np.ndarray
    converged: bool


def linear_loss(codes_ND: np.ndarray, factors_NF: np.ndarray, continuous_F: np.ndarray, num_train: int) -> LinearLoss:
    """Return what linear probes of codes (N, D) explain of factors (N, F), learned from the first `num_train` points.

    Test points of a class that no training point has are left out. A factor of which none is left is NaN, and a
    continuous one that does not vary among them.
    ValueError as `lrx.metrics.points.split_at`.
    """
    from sklearn.linear_model import LinearRegression

    train_ND, values_NF, test_TD, truth_TF = split_at(codes_ND, factors_NF, num_train)
    train_ND, test_TD = standardise(train_ND, test_TD)
    explained, influence_TF, converged = [], np.zeros(truth_TF.shape), True
    for factor, (values_N, truth_T) in enumerate(zip(values_NF.T, truth_TF.T, strict=True)):
        if continuous_F[factor]:
            guess_T = LinearRegression().fit(train_ND, values_N).predict(test_TD)
            share, influence_TF[:, factor] = explained_variance(truth_T, guess_T)
        else:
            share, influence_TF[:, factor], ended = _log_loss(train_ND, values_N, test_TD, truth_T)
            converged &= ended
        explained.append(share)
    explained_F = np.array(explained)
    defined_F = np.isfinite(explained_F)
    se = float(np.linalg.norm(influence_TF[:, defined_F].mean(axis=1))) if defined_F.any() else np.nan
    return LinearLoss(float(explained_F[defined_F].mean()) if defined_F.any() else np.nan, se, explained_F, converged)


def _log_loss(
    train_ND: np.ndarray, labels_N: np.ndarray, test_TD: np.ndarray, truth_T: np.ndarray
) -> tuple[float, np.ndarray, bool]:
    """Return the share of the log loss that the probe removes, its influence (T,), and whether the fit converged."""
    classes, counts = np.unique(labels_N, return_counts=True)
    known_T = np.isin(truth_T, classes)
    influence_T = np.zeros(len(truth_T))
    if not known_T.any():
        return np.nan, influence_T, True
    place_K = np.searchsorted(classes, truth_T[known_T])
    model, converged = fit_logistic(train_ND, labels_N, penalty=0)
    chance_TK = model.predict_proba(test_TD[known_T])
    likely_K = chance_TK[np.arange(len(place_K)), place_K].clip(min=np.finfo(float).eps)
    loss_K, null_K = -np.log(likely_K), -np.log(counts[place_K] / len(labels_N))
    ratio = float(loss_K.mean() / null_K.mean())
    influence_T[known_T] = (ratio * null_K - loss_K) / null_K.sum()
    return 1 - ratio, influence_T, converged
