"""Draws of images that share a value, and errors of votes on few images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrx.core.statistics import binomial_se
from lrx.metrics.betavae import betavae
from lrx.metrics.factorvae import factorvae
from lrx.metrics.votes import SharedValues, accuracy_and_se

SIZES = (4, 5, 3)


def drawn_by_lot(count: int, seed: int = 0, sizes: tuple[int, ...] = SIZES) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.stack([random.integers(size, size=count) for size in sizes], axis=1)


def test_draws_share_the_value_of_their_factor_alone() -> None:
    classes, random = drawn_by_lot(120), np.random.default_rng(0)
    shared, factors = SharedValues(classes), random.integers(3, size=20_000)
    points = shared.draw(factors, random)
    for other in (shared.sharing(points, factors, random), shared.partner(points, factors, random)):
        same = classes[points] == classes[other]
        assert same[np.arange(len(points)), factors].all()
        for factor, size in enumerate(SIZES):
            assert same[factors != factor, factor].mean() == pytest.approx(1 / size, abs=0.06)


def test_partners_are_other_images_equally_often() -> None:
    classes = np.array([[0], [0], [0], [0], [1], [1], [2]])
    random, zeros = np.random.default_rng(0), np.zeros(30_000, dtype=int)
    shared = SharedValues(classes)
    points = shared.draw(zeros, random)
    assert np.bincount(points, minlength=7) / 30_000 == pytest.approx([1 / 6] * 6 + [0], abs=0.01)  # 6 stands alone
    other = shared.partner(points, zeros, random)
    table = np.zeros((7, 7))
    np.add.at(table, (points, other), 1)
    expected = np.zeros((7, 7))
    expected[:4, :4], expected[4:6, 4:6] = (1 - np.eye(4)) / 18, (1 - np.eye(2)) / 6
    assert table / 30_000 == pytest.approx(expected, abs=0.01)


def test_images_that_share_no_value_are_refused() -> None:
    with pytest.raises(ValueError, match="no two of 3 images share the value of a factor"):
        SharedValues(np.arange(3)[:, None])


def test_error_of_equal_votes_is_that_of_images() -> None:
    """All votes of an image agree, so that there are as many independent ones as images."""
    found = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        right = random.random(100) < 0.7
        found.append(accuracy_and_se(lambda rows, count: random.choice(right[rows], count), 100, 5000, random))  # noqa: B023
    accuracies, errors = np.array(found).T
    assert np.std(accuracies) == pytest.approx(np.sqrt(0.21 / 100), rel=0.25)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.sqrt(0.21 / 100), rel=0.15)


def test_accuracy_of_one_has_an_error() -> None:
    right = accuracy_and_se(lambda rows, count: np.ones(count, bool), 50, 1000, np.random.default_rng(0))
    assert right == (1, pytest.approx(binomial_se(1, 1000)))
    assert 0.001 < right[1] < 0.003


@pytest.mark.parametrize("name", ["betavae", "factorvae"])
def test_noise_of_few_images_scores_chance(name: str) -> None:
    found = []
    for seed in range(24):
        codes, classes = np.random.default_rng(seed).normal(size=(300, 6)), drawn_by_lot(300, seed, (4, 4))
        votes = {"num_train": 200, "train_votes": 500, "eval_votes": 250, "generator": torch.Generator().manual_seed(0)}
        if name == "betavae":
            found.append(betavae(codes, classes, pairs_per_vote=64, **votes)[:2])
        else:
            found.append(factorvae(codes, classes, points_per_vote=64, dead_below=0.05, **votes)[:2])
    scores, errors = np.array(found).T
    assert scores.mean() == pytest.approx(0.5, abs=0.05)
    assert 0.75 < np.sqrt(np.mean(np.square(errors))) / scores.std() < 2  # rather too large at chance
    assert errors.min() >= 0.9 * binomial_se(0.5, 250)
