"""Mutual information, by way of scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import mutual_info_score

from lrx.metrics.information import discretize, mutual_information
from tests.metrics.test_metrics import grid, noise
from tests.support.models_for_tests import one_thread as one_thread


def test_mutual_information_is_that_of_scikit_learn() -> None:
    classes = grid()
    bins = discretize(noise(len(classes), 3) + classes, 20)
    assert 0 <= bins.min() <= bins.max() == 19
    for labels in classes.T:
        expected = [mutual_info_score(labels, column) for column in bins.T]
        assert np.allclose(mutual_information(bins, labels), expected, atol=1e-12)
