from __future__ import annotations

import numpy as np
import pytest
import torch

from lrx.core.statistics import mean_and_se


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
