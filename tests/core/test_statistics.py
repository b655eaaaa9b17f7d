from __future__ import annotations

import numpy as np
import pytest
import torch

from lrx.core.statistics import mean_and_se, ratio_of_means, root_of_ratio


def test_mean_and_se_of_known_values() -> None:
    mean, se = mean_and_se([1.0, 2.0, 3.0, 4.0])
    assert mean == 2.5
    assert se == pytest.approx(np.sqrt(5 / 3) / 2)
    tensor = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert [float(value) for value in mean_and_se(tensor)] == [float(mean), float(se)]


def test_nan_is_left_out_place_by_place() -> None:
    mean, se = mean_and_se(np.array([[1.0, 2.0, np.nan], [np.nan, 4.0, np.nan]]))
    assert np.array_equal(mean, [1, 3, np.nan], equal_nan=True)
    assert np.array_equal(se, [np.nan, 1, np.nan], equal_nan=True)


def test_se_is_the_spread_of_means() -> None:
    values = np.random.default_rng(0).normal(size=(50, 4000))
    mean, se = mean_and_se(values)
    assert se.mean() == pytest.approx(mean.std(), rel=0.05)


def test_ratio_error_is_the_spread_of_ratios() -> None:
    generator = np.random.default_rng(0)
    under = generator.uniform(1, 3, size=(50, 4000))
    over = 0.5 * under + generator.normal(0.2, 0.3, size=under.shape)
    for function in (ratio_of_means, root_of_ratio):
        ratio, se = function(over, under)
        assert se.mean() == pytest.approx(ratio.std(), rel=0.05)
    assert root_of_ratio(over, under)[0] == pytest.approx(np.sqrt(over.mean(0) / under.mean(0)))


def test_ratio_of_zeros() -> None:
    over, under = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 3.0]]), np.array([[0.0, 1.0, 0.0], [0.0, 3.0, 0.0]])
    ratio, se = ratio_of_means(over, under)
    assert np.array_equal(ratio, [0, 0, np.inf])
    assert np.array_equal(se[:2], [0, 0])
