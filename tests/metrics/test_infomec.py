"""InfoM, InfoC, InfoE: perfect, mixed, doubled and empty codes, the authors' formula, floors, pruning and errors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from lrx.metrics import infomec as module
from lrx.metrics.infomec import InfoMEC, infomec

GRID = np.random.default_rng(0).permutation(np.array(list(itertools.product(range(4), range(3))) * 50))
NOISE = np.random.default_rng(1).standard_normal((600, 4))


@pytest.fixture(autouse=True)
def _one_shuffle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHUFFLES", 1)


def measured(codes: np.ndarray, factors: np.ndarray = GRID, **settings: Any) -> InfoMEC:
    given = {"num_train": 400, "generator": torch.Generator().manual_seed(0), **settings}
    return infomec(codes, factors, **given)


def test_latent_for_each_source_scores_1() -> None:
    found = measured(np.column_stack([GRID + 0.01 * NOISE[:, :2], 0.001 * NOISE[:, 2:]]))
    assert (found.infom, found.infoc, found.infoe) == pytest.approx((1, 1, 1), abs=0.03)
    assert found.active_D.tolist() == [True, True, False, False]
    assert found.infoe_floor == pytest.approx(0, abs=0.03)
    assert found.converged


def test_shared_latents_lower_compactness_or_modularity() -> None:
    doubled = measured(np.column_stack([GRID[:, 0], GRID[:, 0], GRID[:, 1]]) + 0.01 * NOISE[:, :3])
    assert doubled.infom == pytest.approx(1, abs=0.03)
    assert doubled.infoc == pytest.approx(((1 / 2 - 1 / 3) / (1 - 1 / 3) + 1) / 2, abs=0.03)
    equal = np.array(list(itertools.product(range(3), range(3))) * 60)
    mixed = measured((equal.sum(axis=1) + 0.01 * NOISE[:540, 0])[:, None], equal)
    assert mixed.infom == pytest.approx(0, abs=0.05)
    assert np.isnan(mixed.infoc)  # one active latent: compactness says nothing


def test_scores_are_the_formula_of_the_paper() -> None:
    codes = GRID @ np.array([[1.0, 0.4, 0.0], [0.2, 1.0, 2.0]]) + 0.5 * NOISE[:, :3]
    information = np.stack([mutual_info_classif(codes, v, n_neighbors=10, random_state=0) for v in GRID.T])
    nmi = information / np.log([[4], [3]])
    found = measured(codes, pruning="none")
    assert found.information_DF == pytest.approx(nmi.T, abs=1e-9)
    assert found.infom == pytest.approx(2 * np.mean(nmi.max(0) / nmi.sum(0)) - 1, abs=1e-9)
    assert found.infoc == pytest.approx(1.5 * np.mean(nmi.max(1) / nmi.sum(1)) - 0.5, abs=1e-9)
    shares = []
    for labels in GRID.T:
        probe = LogisticRegression(C=np.inf, max_iter=1000).fit(codes[:400], labels[:400])
        frequencies = np.tile(np.bincount(labels[:400]) / 400, (200, 1))
        loss = log_loss(labels[400:], probe.predict_proba(codes[400:]))
        shares.append(1 - loss / log_loss(labels[400:], frequencies))
    assert found.explained_F == pytest.approx(shares, abs=2e-3)  # where lbfgs stops


def test_noise_scores_high_and_its_floor_says_so() -> None:
    runs = [measured(np.random.default_rng(seed).standard_normal((600, 4))) for seed in range(12)]
    scores, floors = np.mean([run.infom for run in runs]), np.mean([run.infom_floor for run in runs])
    assert scores > 0.4
    assert scores == pytest.approx(floors, abs=0.2)
    assert all(abs(run.infoe) < 0.1 for run in runs)


@pytest.mark.parametrize(
    ("pruning", "active"), [("range", [1, 1, 0, 0]), ("iqr", [1, 0, 0, 0]), ("none", [1, 1, 1, 0])]
)
def test_pruning_by_the_published_rules(pruning: str, active: list[int]) -> None:
    peaked = np.where(np.arange(600) % 50, 0.05, 1.0)  # wide range, narrow quartiles
    codes = NOISE * np.stack([np.ones(600), peaked, np.full(600, 0.04), np.zeros(600)], axis=1)
    assert measured(codes, pruning=pruning).active_D.tolist() == [bool(one) for one in active]


def test_continuous_sources_have_linear_explicitness() -> None:
    values = NOISE[:, :2] + 0.0
    found = measured(values[:, ::-1] + 0.01 * NOISE[:, 2:], values, continuous=np.array([True, True]))
    assert found.infom > 0.9
    assert found.infoc > 0.9
    assert found.infoe > 0.99
    mixed = measured(
        np.column_stack([GRID[:, 0] + 0.01 * NOISE[:, 0], NOISE[:, 1]]),
        np.column_stack([GRID[:, 0], NOISE[:, 1]]),
        continuous=np.array([False, True]),
    )
    assert mixed.infom > 0.9


def test_constant_codes_score_0() -> None:
    found = measured(np.full((600, 3), 2.0))
    assert (found.infom, found.infoc) == (0, 0)
    assert found.infoe == pytest.approx(0, abs=1e-6)
    assert not found.active_D.any()


def test_errors_are_the_spread_over_samples() -> None:
    runs = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        factors = random.integers(0, [4, 3], size=(450, 2))
        codes = factors @ np.array([[1.0, 0.5], [0.3, 1.0]]) + 0.6 * random.standard_normal((450, 2))
        runs.append(measured(codes, factors, num_train=300, num_points=300)[:6])
    scores = np.array(runs)
    assert scores[:, 1::2].mean(axis=0) == pytest.approx(scores[:, ::2].std(axis=0, ddof=1), rel=0.35)


def test_unknown_pruning_and_fractional_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="pruning must be one of range, iqr, none, not 'half'"):
        measured(NOISE, pruning="half")
    with pytest.raises(ValueError, match="classes must be whole numbers, not float64"):
        measured(NOISE, NOISE)
