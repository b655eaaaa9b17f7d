"""MCC: 1 for factors up to order and scale, Spearman's up to monotone maps, and the best matching."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from lrx.metrics.mcc import mcc

N = 800


def normal(columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((N, columns))


def test_factors_up_to_order_scale_and_monotone_maps() -> None:
    factors = normal(3)
    found = mcc(factors[:, [2, 0, 1]] * [-3, 0.1, 7] + 1, factors)
    assert (found.pearson, found.spearman) == pytest.approx((1, 1), abs=1e-12)
    assert found.latent_F.tolist() == [1, 2, 0]
    bent = mcc(np.exp(2 * factors), factors)
    assert bent.spearman == pytest.approx(1, abs=1e-12)
    assert bent.pearson < 0.8


def test_matching_is_the_best_of_all_permutations() -> None:
    factors = normal(4)
    codes = factors @ np.random.default_rng(1).normal(size=(4, 4)) + 0.1 * normal(4, seed=2)
    for score, correlation in ((mcc(codes, factors).pearson, pearsonr), (mcc(codes, factors).spearman, spearmanr)):
        table = [[abs(correlation(z, v).statistic) for v in factors.T] for z in codes.T]
        every = [np.mean([table[j][k] for k, j in enumerate(order)]) for order in itertools.permutations(range(4))]
        assert score == pytest.approx(max(every), abs=1e-12)


def test_rotation_by_45_degrees_gives_root_one_half() -> None:
    factors = np.array(list(itertools.product([-1.0, 1.0], repeat=2)) * (N // 4))
    turned = factors @ np.array([[1, -1], [1, 1]]) / math.sqrt(2)
    assert mcc(turned, factors).pearson == pytest.approx(math.sqrt(0.5), abs=1e-12)


def test_unmatched_factors_and_dead_latents_count_0() -> None:
    factors = normal(2)
    assert mcc(factors[:, :1], factors).pearson == pytest.approx(0.5, abs=1e-12)
    assert mcc(factors[:, :1], factors).latent_F.tolist() == [0, -1]
    assert mcc(np.zeros((N, 3)), factors).pearson == 0


def test_errors_are_the_spread_over_samples() -> None:
    runs = []
    for seed in range(60):
        factors = np.random.default_rng(seed).standard_normal((200, 2))
        runs.append(mcc(factors + np.random.default_rng(seed + 500).standard_normal((200, 2)), factors)[:4])
    pearson, pearson_se, spearman, spearman_se = np.array(runs).T
    assert pearson_se.mean() == pytest.approx(pearson.std(ddof=1), rel=0.3)
    assert spearman_se.mean() == pytest.approx(spearman.std(ddof=1), rel=0.3)


@pytest.mark.parametrize("bad", [np.full((N, 1), np.nan), np.ones((N, 1)), np.ones(N), np.full((N, 1), "a")])
def test_what_is_no_factor_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="factor"):
        mcc(normal(2), bad)
