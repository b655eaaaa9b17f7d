"""TAD: attributes that one latent tells, two latents tell, none tells, and attributes that explain each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score, roc_auc_score

from lrx.metrics.tad import tad

GRID = np.array(list(itertools.product([0, 1], repeat=3)) * 100)  # exactly independent
NOISE = np.random.default_rng(0).standard_normal((800, 3))


def test_latent_for_each_attribute_scores_half() -> None:
    found = tad(np.where(GRID, 1.0, -1.0) * [1, -2, 3], GRID)
    assert found.tad == pytest.approx(1.5, abs=1e-12)  # 1 beyond the 0.5 of latents that know nothing, three times
    assert found.counted_F.all()
    assert found.auroc_DF == pytest.approx(0.5 + 0.5 * np.eye(3), abs=1e-12)
    assert tad(GRID[:, :1].astype(float), GRID[:, :1]).tad == pytest.approx(0.5)  # one latent, compared with none


def test_attribute_in_two_latents_and_noise() -> None:
    twice = tad(np.stack([GRID[:, 0], -GRID[:, 0]], axis=1).astype(float), GRID)
    assert twice.tad == 0
    assert twice.counted_F.tolist() == [True, False, False]
    assert not tad(NOISE, GRID).counted_F.any()


def test_areas_and_shares_are_those_of_scikit_learn() -> None:
    codes = GRID + NOISE
    labels = np.column_stack([GRID, (GRID[:, 0] | (NOISE[:, 0] > 1.5)).astype(int)])
    found = tad(codes, labels)
    for latent, label in itertools.product(range(3), range(4)):
        area = roc_auc_score(labels[:, label], codes[:, latent])
        assert found.auroc_DF[latent, label] == pytest.approx(max(area, 1 - area), abs=1e-12)
    information = [[mutual_info_score(one, other) for other in labels.T] for one in labels.T]
    shares = np.array(information) / np.diagonal(information)[:, None]
    np.fill_diagonal(shares, 0)
    assert found.explained_F == pytest.approx(shares.max(axis=1), abs=1e-12)
    assert found.explained_F[0] > 0.2  # so neither of the two counts
    assert not found.counted_F[[0, 3]].any()


def test_error_is_the_spread_over_samples() -> None:
    runs = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        labels = random.integers(2, size=(200, 2))
        runs.append(tad(2 * labels @ np.array([[1, 0.5], [0.5, 1]]) + random.standard_normal((200, 2)), labels)[:2])
    scores, errors = np.array(runs).T
    assert errors.mean() == pytest.approx(scores.std(ddof=1), rel=0.3)


def test_classes_of_three_values_are_refused() -> None:
    with pytest.raises(ValueError, match="TAD is of attributes with two values, not 3"):
        tad(NOISE[:3], np.array([[0], [1], [2]]))
