"""Held-out R²: what a linear map and a bent one explain, noise, and errors that are the spread over samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from lrx.metrics.r2 import R2, explained_variance, r2


def normal(count: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, columns))


def measured(codes: np.ndarray, factors: np.ndarray, num_train: int) -> R2:
    return r2(codes, factors, num_train=num_train, generator=torch.Generator().manual_seed(0))


def test_linear_and_bent_codes() -> None:
    factors = normal(900, 2)
    turned = measured(factors @ np.array([[1.0, 2.0], [-1.0, 1.0]]), factors, 600)
    assert turned.linear == pytest.approx(1, abs=1e-12)
    bent = measured(np.stack([np.abs(factors[:, 0]), factors[:, 1]], axis=1), np.abs(factors) ** 3, 600)
    assert bent.linear_F[1] < 0.1  # an even function of the latent
    assert (bent.boosted_F > 0.5).all()


def test_score_is_that_of_scikit_learn() -> None:
    factors = normal(300, 2)
    codes = factors + normal(300, 2, seed=1)
    predicted = LinearRegression().fit(codes[:200], factors[:200]).predict(codes[200:])
    assert measured(codes, factors, 200).linear == pytest.approx(r2_score(factors[200:], predicted), abs=1e-12)
    for constant in (1.0, 0.1):  # the mean of three 0.1 is not 0.1
        share, influence = explained_variance(np.full(3, constant), np.zeros(3))
        assert np.isnan(share)
        assert not influence.any()


def test_noise_explains_nothing_and_is_not_clipped() -> None:
    found = measured(normal(300, 5, seed=1), normal(300, 2), 200)
    assert -0.2 < found.linear < 0.02
    assert found.boosted < 0  # worse than the mean


def test_errors_are_the_spread_over_samples() -> None:
    runs = []
    for seed in range(60):
        factors = normal(400, 1, seed)
        runs.append(measured(factors + normal(400, 1, seed + 500), factors, 200)[:2])
    linear, error = np.array(runs).T
    assert linear.mean() == pytest.approx(0.5, abs=0.03)  # var / (var + noise)
    assert error.mean() == pytest.approx(linear.std(ddof=1), rel=0.3)
