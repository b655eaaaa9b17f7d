"""Explicitness (Ridgeway and Mozer 2018), by way of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from lrx.metrics.explicitness import explicitness
from tests.metrics.test_metrics import noise
from tests.support.models_for_tests import one_thread as one_thread


def test_explicitness_keeps_training_columns() -> None:
    classes = np.array([0, 1, 2] * 100 + [1, 2] * 50)[:, None]
    classes = np.concatenate([classes, np.random.default_rng(0).integers(2, size=classes.shape)], axis=1)
    found = explicitness(classes + 0.01 * noise(400, 2), classes, num_train=300)  # no test point has value 0
    assert found.explicitness == 1
    mixed = classes + 0.8 * noise(400, 2)
    scale = mixed[:300].mean(axis=0), mixed[:300].std(axis=0)
    train, test = ((part - scale[0]) / scale[1] for part in (mixed[:300], mixed[300:]))
    chances = LogisticRegression(max_iter=1000).fit(train, classes[:300, 0]).predict_proba(test)
    expected = np.mean([roc_auc_score(classes[300:, 0] == value, chances[:, value]) for value in (1, 2)])
    assert explicitness(mixed, classes, num_train=300).auc_F[0] == pytest.approx(expected, abs=1e-12)
