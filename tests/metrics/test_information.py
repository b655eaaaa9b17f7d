"""Mutual information, by way of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from lrx.metrics.information import discretize, mutual_information, quantile_bins
from tests.metrics.test_metrics import grid, noise
from tests.support.models_for_tests import one_thread as one_thread


def test_mutual_information_is_that_of_scikit_learn() -> None:
    classes = grid()
    bins = discretize(noise(len(classes), 3) + classes, 20)
    assert 0 <= bins.min() <= bins.max() == 19
    for labels in classes.T:
        expected = [mutual_info_score(labels, column) for column in bins.T]
        assert np.allclose(mutual_information(bins, labels), expected, atol=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_rare_values_have_bins_of_their_own(sign: int) -> None:
    values = np.random.default_rng(0).permutation(2000)
    sparse = sign * np.where(values >= 1940, values, 0)[:, None]  # 0 on 97 % of the points, as a feature that is rare
    bins, of_values = quantile_bins(sparse, 20), quantile_bins(values[:, None], 20)[:, 0]
    assert np.bincount(of_values).tolist() == [100] * 20
    expected = entropy([0.97, 0.03]) - 0.05 * entropy([0.4, 0.6])  # of the last bin of values 60 of 100 are not 0
    assert mutual_information(bins, of_values) == pytest.approx([expected], rel=1e-9)
    assert np.unique(quantile_bins(np.repeat([-1.0, 0, 1], [20, 1940, 40])[:, None], 20)).size == 3
