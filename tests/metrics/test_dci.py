"""DCI by lightgbm's splits against scikit-learn's trees, on codes with copies of latents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from lrx.metrics.dci import DCI, dci
from lrx.metrics.trees import classify
from tests.support.models_for_tests import one_thread as one_thread

SIZES, LATENTS, TRAIN = (6, 3, 2), 6, 400


def unit(classes: np.ndarray) -> np.ndarray:
    return (classes / (np.array(SIZES) - 1) - 0.5) * 12**0.5


Code = Callable[[np.ndarray, np.random.Generator], np.ndarray]
CODES: dict[str, Code] = {
    "one each": lambda y, r: np.hstack([unit(y), np.zeros((len(y), 3))]),
    "duplicated": lambda y, r: np.hstack([unit(y), unit(y)]),
    "monotone twins": lambda y, r: np.hstack([unit(y), np.exp(unit(y))]),
    "mirrored twins": lambda y, r: np.hstack([unit(y), -unit(y)]),
    "noisy twins": lambda y, r: np.hstack([unit(y) + 0.3 * r.normal(size=y.shape) for _ in range(2)]),
    "noisy": lambda y, r: np.hstack([unit(y) + 0.5 * r.normal(size=y.shape), r.normal(size=y.shape)]),
}


def grown(name: str, trees: str, seed: int = 0) -> DCI:
    random = np.random.default_rng(1)
    classes = np.stack([random.integers(size, size=TRAIN + 200) for size in SIZES], axis=1)
    given = {"num_train": TRAIN, "num_threads": 1, "generator": torch.Generator().manual_seed(seed)}
    return dci(CODES[name](classes, random), classes, trees=trees, **given)


@pytest.mark.parametrize("name", CODES)
def test_lightgbm_scores_as_scikit_learn(name: str) -> None:
    fast, slow = (np.array(grown(name, trees)[:3]) for trees in ("lightgbm", "sklearn"))
    assert np.allclose(fast, slow, atol=0.02), (fast, slow)
    if (name.endswith("twins") and not name.startswith("noisy")) or name == "duplicated":
        assert fast[1] == pytest.approx(1 - np.log(2) / np.log(LATENTS), abs=0.02)  # two latents for each factor


@pytest.mark.parametrize("trees", ["lightgbm", "sklearn"])
def test_code_of_one_factor_is_complete(trees: str) -> None:
    """Rounding makes importances slightly negative in scikit-learn, whose entropy was infinite."""
    random = np.random.default_rng(0)
    labels = np.stack([random.integers(4, size=400), random.integers(3, size=400)], axis=1)
    codes = np.hstack([labels, random.normal(size=(400, 1))]).astype(float)
    found = dci(codes, labels, num_train=300, trees=trees, num_threads=1, generator=torch.Generator().manual_seed(0))
    assert found[:3] == pytest.approx((1, 1, 1), abs=1e-4)
    assert (found.importance_DF >= 0).all()
    assert found.importance_DF.sum(axis=0) == pytest.approx(np.ones(2))


def test_monotone_copies_share_what_one_had() -> None:
    random = np.random.default_rng(0)
    z = random.normal(size=(1500, 1))
    labels = (z[:, 0] > 0.5).astype(int) + (z[:, 0] > -0.5)
    codes = np.hstack([z, z**3, random.normal(size=(1500, 2))])
    settings = {"trees": "lightgbm", "seed": 0}
    shares = [classify(codes[:1000], labels[:1000], codes[1000:], **{**settings, "seed": seed})[1] for seed in range(5)]
    assert np.mean(shares, axis=0) == pytest.approx([0.5, 0.5, 0, 0], abs=0.08)
    assert np.max(np.abs(np.subtract(shares, [0.5, 0.5, 0, 0]))) < 0.2


def test_rare_and_two_valued_labels_take_both_trees() -> None:
    random = np.random.default_rng(0)
    codes, labels = random.normal(size=(300, 3)), np.zeros(300, dtype=int)
    labels[0], labels[1:3] = 2, 1
    for values in (labels, (codes[:, 1] > 1).astype(int)):
        for trees in ("lightgbm", "sklearn"):
            predicted, importance = classify(codes[:200], values[:200], codes[200:], trees=trees, seed=0)
            assert (predicted == values[200:]).mean() > 0.95
            assert importance.sum() == pytest.approx(1)
