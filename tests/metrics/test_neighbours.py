"""Information by nearest neighbours: scikit-learn's estimates, a count by hand, Gaussians, and known classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from lrx.metrics.neighbours import jittered, pointwise_with_classes, pointwise_with_values

N = 600


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def codes(labels: np.ndarray) -> np.ndarray:
    noise = random(1).standard_normal((len(labels), 3))
    return noise + labels[:, None] * np.array([2.0, 0.7, 0.0])


@pytest.mark.parametrize("neighbours", [3, 10])
def test_information_is_that_of_scikit_learn(neighbours: int) -> None:
    labels = random().integers(4, size=N)
    z, given = codes(labels), {"n_neighbors": neighbours, "discrete_features": False, "random_state": 0}
    found = pointwise_with_classes(jittered(z, random()), labels, neighbours=neighbours).mean(axis=0)
    assert np.allclose(found.clip(min=0), mutual_info_classif(z, labels, **given), atol=1e-10)
    values = labels + 0.3 * random(2).standard_normal(N)
    scaled = jittered(values[:, None], random())[:, 0]
    found = pointwise_with_values(jittered(z, random()), scaled, neighbours=neighbours).mean(axis=0)
    assert np.allclose(found.clip(min=0), mutual_info_regression(z, values, **given), atol=1e-10)


def test_information_with_classes_equals_ross_sum() -> None:
    labels, k = np.array([0, 0, 0, 1, 1, 1, 1, 2]), 2  # the one point of class 2 is left out of all counts
    z = random(3).standard_normal(8)
    kept, terms = np.flatnonzero(labels < 2), []
    for place in kept:
        same = [abs(z[place] - z[other]) for other in kept if other != place and labels[other] == labels[place]]
        nearer = sum(abs(z[place] - z[other]) < sorted(same)[k - 1] for other in kept)
        terms.append(digamma(7) + digamma(k) - digamma(len(same) + 1) - digamma(nearer))
    found = pointwise_with_classes(z[:, None], labels, neighbours=k)[:, 0]
    assert found[kept] == pytest.approx(terms, abs=1e-12)
    assert found[-1] == pytest.approx(np.mean(terms), abs=1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_information_of_gaussians_is_their_formula(correlation: float) -> None:
    one, other = random(4).standard_normal((2, 4000))
    values = correlation * one + math.sqrt(1 - correlation**2) * other
    found = pointwise_with_values(jittered(one[:, None], random()), values, neighbours=3)[:, 0]
    error = found.std() / math.sqrt(len(found))
    assert found.mean() == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=4 * error)


def test_code_that_equals_its_class_has_the_entropy() -> None:
    labels = np.repeat(np.arange(5), 40)
    z = np.stack([labels, np.zeros(200), labels % 2], axis=1).astype(float)
    found = pointwise_with_classes(jittered(z, random()), labels, neighbours=3).mean(axis=0)
    assert found[0] == pytest.approx(digamma(200) - digamma(40), abs=1e-12)  # log 5 as N grows
    assert found[1] == 0  # a constant latent knows nothing


def test_errors_are_the_spread_over_samples() -> None:
    estimates, errors = [], []
    for seed in range(60):
        labels = random(seed).integers(3, size=300)
        z = labels + 0.8 * random(seed + 1000).standard_normal(300)
        terms = pointwise_with_classes(jittered(z[:, None], random()), labels, neighbours=10)[:, 0]
        estimates.append(terms.mean())
        errors.append(terms.std(ddof=1) / math.sqrt(300))
    assert np.mean(errors) == pytest.approx(np.std(estimates, ddof=1), rel=0.3)
