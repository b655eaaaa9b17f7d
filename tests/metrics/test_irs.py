"""IRS (Suter et al. 2019), by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lrx.metrics.irs import irs
from tests.metrics.test_metrics import grid, standardised
from tests.support.models_for_tests import one_thread as one_thread


def test_irs_counts_latents() -> None:
    classes = grid()
    codes = np.concatenate([standardised(classes), np.full((len(classes), 2), 3.7)], axis=1)
    found = irs(codes - 100, classes, quantile=0.99)
    assert found.num_active == 3
    assert not found.irs_DF[3:].any()
    assert found.irs == pytest.approx(1, abs=1e-12)
    opposite = np.stack([standardised(classes)[:, 0], -standardised(classes)[:, 0]], axis=1)
    assert irs(opposite, classes, quantile=0.99).num_active == 2  # their values sum to 0


def test_irs_of_two_factors_by_hand() -> None:
    classes = grid(1, (3, 3))
    codes = classes.sum(axis=1, keepdims=True).astype(float)  # deviation 2 at most, 1 while either is fixed
    assert irs(codes, classes, quantile=1.0).irs_DF.tolist() == [[0.5, 0.5]]


def test_irs_weights_values_by_share() -> None:
    codes = np.array([-1.0, 1.0] * 4)[:, None]
    classes = np.array([0] * 7 + [1])[:, None]  # 7 points deviate from -1/7 by up to 8/7, one from itself by nothing
    assert irs(codes, classes, quantile=1.0).irs_DF == pytest.approx(1 - (7 / 8 * 8 / 7 + 1 / 8 * 0))
