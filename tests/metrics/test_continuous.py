"""MIG, SAP and trees on continuous factors: copies, rotations, noise, Gaussians, and scikit-learn's values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_selection import mutual_info_regression
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score

from lrx.metrics.dci import dci
from lrx.metrics.mig import MIG, mig
from lrx.metrics.regression_trees import regress
from lrx.metrics.sap import SAP, sap

N = 3000
VALUES = np.random.default_rng(0).standard_normal((N, 2))
NOISE = np.random.default_rng(1).standard_normal((N, 3))
BOTH = np.array([True, True])


def gap(codes: np.ndarray, factors: np.ndarray = VALUES, **settings: Any) -> MIG:
    given = {"bins": 20, "continuous": BOTH, "generator": torch.Generator().manual_seed(0), **settings}
    return mig(codes, factors, **given)


def separated(codes: np.ndarray, factors: np.ndarray = VALUES, continuous: np.ndarray = BOTH) -> SAP:
    given = {"num_train": 2000, "penalty": 0.01, "generator": torch.Generator().manual_seed(0)}
    return sap(codes, factors, continuous=continuous, **given)


@pytest.mark.parametrize("information", ["quantiles", "neighbours"])
def test_gap_of_copies_rotation_and_noise(information: str) -> None:
    turned = VALUES @ np.array([[1.0, -1.0], [1.0, 1.0]])
    copies = gap(np.exp(VALUES[:, ::-1]) if information == "quantiles" else 2 - VALUES, information=information)
    assert copies.mig == pytest.approx(1, abs=0.03)
    assert gap(turned, information=information).mig == pytest.approx(0, abs=0.02)
    assert gap(NOISE, information=information).mig == pytest.approx(0, abs=0.02)
    assert gap(np.zeros((N, 2)), information=information).mig == 0
    assert gap(VALUES[:, :1], information=information).gap_F == pytest.approx([1, 0], abs=0.03)


def test_information_equals_scikit_learn_and_gaussians() -> None:
    codes = 0.8 * VALUES + 0.6 * NOISE[:, :2]
    near = gap(codes, information="neighbours").mutual_information_DF
    expected = [mutual_info_regression(codes, v, n_neighbors=3, random_state=0) for v in VALUES.T]
    assert near.clip(min=0) == pytest.approx(np.array(expected).T, abs=1e-9)
    assert near.diagonal() == pytest.approx(-0.5 * math.log(1 - 0.64), abs=0.08)
    binned = gap(codes).mutual_information_DF
    ranks = [np.argsort(np.argsort(column)) * 20 // N for column in (*codes.T, *VALUES.T)]
    assert binned == pytest.approx(
        np.array([[mutual_info_score(z, v) for v in ranks[2:]] for z in ranks[:2]]), abs=1e-12
    )


def test_gap_error_is_the_spread_over_samples() -> None:
    for information in ("quantiles", "neighbours"):
        runs = []
        for seed in range(40):
            random = np.random.default_rng(seed)
            values = random.standard_normal((400, 2))
            found = gap(values + random.standard_normal((400, 2)), values, bins=5, information=information)
            runs.append((found.mig, found.mig_se))
        scores, errors = np.array(runs).T
        assert errors.mean() == pytest.approx(scores.std(ddof=1), rel=0.35), information


def test_separated_continuous_factors_score_r2_of_lines() -> None:
    codes = VALUES[:, ::-1] + NOISE[:, :2]
    found = separated(codes)
    for latent, code in enumerate(codes.T):
        for factor, value in enumerate(VALUES.T):
            line = LinearRegression().fit(code[:2000, None], value[:2000])
            expected = max(0.0, line.score(code[2000:, None], value[2000:]))
            assert found.accuracy_DF[latent, factor] == pytest.approx(expected, abs=1e-12)
    assert found.sap == pytest.approx(0.5, abs=0.05)  # var / (var + noise), against nothing
    assert separated(VALUES).sap == pytest.approx(1, abs=5e-3)
    assert separated(np.zeros((N, 2))).sap == separated(NOISE[:, :1] * 0).sap == 0


def test_separation_error_is_the_spread_over_samples() -> None:
    runs = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        values = random.standard_normal((500, 1))
        codes = values @ np.array([[1.0, 0.5]]) + random.standard_normal((500, 2))
        given: dict[str, Any] = {"num_train": 250, "penalty": 0.01, "generator": torch.Generator().manual_seed(0)}
        runs.append(sap(codes, values, continuous=np.array([True]), **given)[:2])
    scores, errors = np.array(runs).T
    assert errors.mean() == pytest.approx(scores.std(ddof=1), rel=0.35)


def test_classes_and_values_stand_side_by_side() -> None:
    labels = np.random.default_rng(2).integers(2, size=N)
    factors, kinds = np.column_stack([labels, VALUES[:, 0]]), np.array([False, True])
    codes = np.column_stack([labels + 0.01 * NOISE[:, 0], VALUES[:, 0]])
    assert gap(codes, factors, continuous=kinds).gap_F == pytest.approx([1, 1], abs=0.03)
    assert separated(codes, factors, kinds).accuracy_DF == pytest.approx(np.array([[1, 0], [0.5, 1]]), abs=0.05)


@pytest.mark.parametrize("trees", ["lightgbm", "sklearn"])
def test_trees_find_the_latent_of_a_value(trees: str) -> None:
    value, codes = np.sin(2 * VALUES[:800, 0]), np.column_stack([NOISE[:800, 0], VALUES[:800, 0], np.zeros(800)])
    predicted, importance = regress(codes[:600], value[:600], codes[600:], trees=trees, seed=0)
    assert importance == pytest.approx([0, 1, 0], abs=0.01)
    assert np.corrcoef(predicted, value[600:])[0, 1] > 0.99


def test_lightgbm_gives_importances_of_scikit_learn() -> None:
    value = VALUES[:800, 0]
    codes = np.column_stack([value + 0.5 * NOISE[:800, 0], np.sin(2 * value) + 0.3 * NOISE[:800, 1], NOISE[:800, 2]])
    given: dict[str, Any] = {"seed": 0}
    fast, slow = (
        regress(codes[:600], value[:600], codes[600:], trees=kind, **given) for kind in ("lightgbm", "sklearn")
    )
    assert fast[1] == pytest.approx(slow[1], abs=0.02)
    assert np.corrcoef(fast[0], slow[0])[0, 1] > 0.99
    twice = regress(codes[:600, [0, 1, 1]], value[:600], codes[600:, [0, 1, 1]], trees="lightgbm", **given)[1]
    assert twice[1] == pytest.approx(twice[2], rel=0.35)  # copies share the importance


def test_unknown_information_and_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="information must be one of quantiles, neighbours, not 'bins'"):
        gap(NOISE, information="bins")
    with pytest.raises(ValueError, match=r"continuous must have one place a factor of \(3000, 2\), not \(1,\)"):
        gap(NOISE, continuous=np.array([True]))


def test_dci_of_values_beside_classes() -> None:
    labels = np.random.default_rng(2).integers(3, size=N)
    factors, codes = np.column_stack([labels, VALUES[:, 0]]), np.column_stack([VALUES[:, 0], labels, NOISE[:, 0]])
    given: dict[str, Any] = {"num_train": 2000, "trees": "lightgbm", "num_threads": 1}
    kinds, seed = np.array([False, True]), torch.Generator().manual_seed(0)
    found = dci(codes, factors, continuous=kinds, generator=seed, **given)
    assert (found.disentanglement, found.completeness) == pytest.approx((1, 1), abs=1e-3)
    assert found.accuracy_F == pytest.approx([1, 1], abs=0.01)
    noise = dci(NOISE[:, 1:], factors, continuous=kinds, generator=seed, **given)
    assert noise.accuracy_F == pytest.approx([1 / 3, 0], abs=0.05)  # R² below 0 counts as 0
    dead = dci(np.zeros((N, 2)), factors, continuous=kinds, generator=seed, **given)
    assert dead.accuracy_F[1] == dead.disentanglement == 0
