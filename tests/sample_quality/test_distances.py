from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from lrx.sample_quality.distances import compare, fewest_points, gaussian_distance
from tests.support.models_for_tests import one_thread as one_thread


def normal(count: int, features: int, seed: int) -> Tensor:
    return torch.randn(count, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gaussian_distance_equals_closed_form() -> None:
    shift, a, b = (torch.tensor(v).double() for v in ([1.0, -2.0, 0.5], [1.0, 2.0, 0.0], [0.5, 3.0, 0.7]))
    turn = torch.linalg.qr(normal(3, 3, 0)).Q  # in any basis that the covariances share
    covariances = [turn @ torch.diag(std.square()) @ turn.T for std in (a, b)]
    expected = shift.square().sum() + (a - b).square().sum()
    found = gaussian_distance(torch.zeros(3).double(), covariances[0], shift, covariances[1])
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_frechet_equals_scipy() -> None:
    x, y = normal(60, 4, 0) @ normal(4, 4, 1), normal(80, 4, 2) + 0.3
    cov_x, cov_y = np.cov(x.numpy().T), np.cov(y.numpy().T)
    cross = np.trace(scipy.linalg.sqrtm(cov_x @ cov_y)).real
    expected = float((x.mean(0) - y.mean(0)).square().sum()) + np.trace(cov_x) + np.trace(cov_y) - 2 * cross
    assert compare(x, y, neighbours=3)["frechet"].value == pytest.approx(expected, rel=1e-8)


def fitted_distance(x: Tensor, y: Tensor) -> float:
    """The Fréchet distance by way of covariances, which `compare` avoids where there are fewer points than features."""
    return gaussian_distance(x.mean(0), x.T.cov(), y.mean(0), y.T.cov())


@pytest.mark.parametrize(("count_x", "count_y", "features"), [(12, 9, 12), (12, 9, 30), (40, 37, 50)])
def test_frechet_of_fewer_points_than_features(count_x: int, count_y: int, features: int) -> None:
    x, y = normal(count_x, features, 0) + 5, 2 * normal(count_y, features, 1) + 4
    found = compare(x, y, neighbours=1)["frechet"]
    assert found.value == pytest.approx(fitted_distance(x, y), rel=1e-7)
    groups = [s.tensor_split(min(20, len(s))) for s in (x, y)]
    left = [
        fitted_distance(*(torch.cat([part for g, part in enumerate(s) if g != gone]) for s in groups))
        for gone in range(max(len(s) for s in groups))
    ]
    assert found.bias == pytest.approx((len(left) - 1) * (np.mean(left) - found.value), rel=1e-4)
    assert found.se == pytest.approx(np.std(left) * np.sqrt(len(left) - 1), rel=1e-4)


def test_distances_of_equal_samples() -> None:
    x = normal(100, 5, 0)
    found = compare(x, x, neighbours=3)
    assert found["frechet"].value == pytest.approx(0, abs=1e-12)
    assert found["kernel"].value < 0  # below 0: the pairs of a point with itself count across, not within
    assert (found["precision"].value, found["recall"].value) == (1, 1)
    assert (found["precision"].se, found["recall"].se) == (0, 0)


def test_kernel_equals_unbiased_sum_over_pairs() -> None:
    x, y = normal(23, 3, 0), normal(31, 3, 1) + 0.5

    def k(a: Tensor, b: Tensor) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within = [
        sum(k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j) / len(s) / (len(s) - 1)
        for s in (x, y)
    ]
    across = sum(k(a, b) for a in x for b in y) / 23 / 31
    assert compare(x, y, neighbours=1)["kernel"].value == pytest.approx(sum(within) - 2 * across, rel=1e-12)


def test_kernel_of_one_distribution_is_zero_on_average() -> None:
    pairs = [(normal(10, 4, 2 * s), normal(10, 4, 2 * s + 1)) for s in range(60)]
    found = np.array([compare(x, y, neighbours=1)["kernel"].value for x, y in pairs])
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(60)
    assert (found < 0).any()


def brute(x: Tensor, y: Tensor, neighbours: int) -> tuple[float, float]:
    """Precision and recall, one point at a time."""
    shares = []
    for points, balls in ((x, y), (y, x)):
        radii = [sorted(float((c - o).norm()) for o in balls)[neighbours] for c in balls]  # place 0 is the point itself
        inside = [any(float((p - c).norm()) <= r + 1e-12 for c, r in zip(balls, radii, strict=True)) for p in points]
        shares.append(sum(inside) / len(inside))
    return shares[0], shares[1]


def test_precision_and_recall_equal_definition() -> None:
    x, y = normal(40, 3, 0), 0.7 * normal(40, 3, 1) + 0.4
    found = compare(x, y, neighbours=2)
    assert (found["precision"].value, found["recall"].value) == pytest.approx(brute(x, y, 2))
    left = []
    for gone in range(20):  # of two points each
        stay = torch.arange(40) // 2 != gone
        left.append(brute(x[stay], y[stay], 2))
    mean = np.array(left).mean(0)
    se = np.sqrt(19 / 20 * ((np.array(left) - mean) ** 2).sum(0))
    assert (found["precision"].se, found["recall"].se) == pytest.approx(tuple(se))
    assert found["precision"].bias == pytest.approx(19 * (mean[0] - found["precision"].value))


def test_precision_and_recall_of_disjoint_samples() -> None:
    x, y = normal(200, 2, 0), normal(200, 2, 1)
    apart = compare(x + 100, y, neighbours=3)
    assert (apart["precision"].value, apart["recall"].value) == (0, 0)
    two = torch.cat([y[:100] * 0.1, y[100:] * 0.1 + 50])  # two far modes, of which x has one
    found = compare(x * 0.1, two, neighbours=3)
    assert found["precision"].value > 0.8
    assert 0.35 < found["recall"].value <= 0.5


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_standard_errors_and_bias_against_repeats(shift: float) -> None:
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(30):
        x, y = normal(120, 6, 2 * seed) + shift, normal(120, 6, 2 * seed + 1)
        for name, estimate in compare(x, y, neighbours=3).items():
            rows.setdefault(name, []).append((estimate.value, estimate.se, estimate.bias))
    for name, row in rows.items():
        value, se, bias = np.array(row).T
        ratio = se.mean() / value.std(ddof=1)  # 30 repeats know a spread to 13 %
        if shift and name in ("frechet", "kernel"):
            assert 0.65 < ratio < 1.5, (name, ratio)
        else:  # a jackknife overstates where the first order vanishes (equal distributions), and for neighbours
            assert 0.9 < ratio < 2.5, (name, ratio)
        if name == "frechet":  # 120 points, 6 features: the bias is some 0.27, found to a few per cent
            error = np.sqrt((value.var(ddof=1) + bias.var(ddof=1)) / 30)
            assert abs((value - bias).mean() - 6 * shift**2) < 4 * error + 0.04
            assert bias.mean() > 5 * bias.std(ddof=1) / np.sqrt(30)


def test_too_few_points_are_refused() -> None:
    assert fewest_points(1) == 3
    assert fewest_points(3) == 5
    assert compare(normal(5, 2, 0), normal(7, 2, 1), neighbours=3)["precision"].se >= 0
    with pytest.raises(ValueError, match="3 neighbours need at least 5 points, not 4"):
        compare(normal(4, 2, 0), normal(7, 2, 1), neighbours=3)
