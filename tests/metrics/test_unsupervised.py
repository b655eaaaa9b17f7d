"""Scores of codes alone: Gaussian correlations, and codes that do not vary."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import sqrtm

from lrx.metrics.unsupervised import gaussian_correlations, unsupervised
from tests.metrics.test_metrics import noise
from tests.support.models_for_tests import one_thread as one_thread


def test_gaussian_scores_are_those_of_their_definitions() -> None:
    mixing = np.random.default_rng(0).normal(size=(4, 4))
    covariance = mixing @ mixing.T
    diagonal = np.diag(covariance.diagonal())
    total, distance, share = gaussian_correlations(covariance)
    kl = 0.5 * (np.log(np.linalg.det(diagonal)) - np.log(np.linalg.det(covariance)))
    squared = 2 * np.trace(covariance) - 2 * np.trace(sqrtm(diagonal @ covariance)).real
    assert total == pytest.approx(kl, rel=1e-9)
    assert distance == pytest.approx(squared, rel=1e-6)
    assert share == pytest.approx(distance / np.trace(covariance))
    assert gaussian_correlations(diagonal) == pytest.approx((0, 0, 0), abs=1e-9)
    pair = np.array([[1, 0.6], [0.6, 1]])
    assert gaussian_correlations(pair)[0] == pytest.approx(-0.5 * math.log(1 - 0.36))


def test_dead_latents_are_independent_of_all() -> None:
    codes = noise(2000, 2) @ np.array([[1, 0.5], [0, 1]])
    one = unsupervised(codes, bins=20)
    beside = unsupervised(np.concatenate([codes, np.ones((2000, 1))], axis=1), bins=20)
    assert beside[:6] == pytest.approx(one[:6])
    assert beside.mutual_information_score == pytest.approx(one.mutual_information_score / 3)
    assert unsupervised(codes[:, :1], bins=20)[::2] == (0, 0, 0, 0)
    twice = unsupervised(np.concatenate([codes, codes], axis=1), bins=20)
    assert twice.gaussian_total_correlation > 10
