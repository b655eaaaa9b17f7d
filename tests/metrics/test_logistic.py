"""Logistic regressions of metrics: scales of latents, and fits that do not converge."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lrx.metrics import logistic
from lrx.metrics.betavae import betavae
from lrx.metrics.explicitness import explicitness
from lrx.metrics.logistic import fit_logistic, standardise
from tests.metrics.test_metrics import drawn, grid, noise, pairs, standardised

SCALES = np.array([1e-3, 1.0, 1e6])


def test_scales_of_latents_change_no_score() -> None:
    classes = grid()
    codes = standardised(classes) @ np.array([[1, 0.5, 0], [-0.5, 1, 0.5], [0, -0.5, 1]]) + noise(len(classes), 3)
    plain, scaled = pairs(codes, classes), pairs(codes * SCALES + SCALES, classes)
    assert plain.converged
    assert scaled.converged
    assert plain.betavae > 0.55
    assert scaled.betavae == pytest.approx(plain.betavae, abs=0.002)
    given = {"num_train": 800}
    both = (explicitness(part, classes, **given).explicitness for part in (codes, codes * SCALES + SCALES))
    assert next(both) == pytest.approx(next(both), abs=1e-4)


def test_standardised_fit_is_that_of_scikit_learn() -> None:
    codes, classes = drawn(np.random.default_rng(0), 300)
    codes = codes * [1, 100]
    train, test = standardise(codes[:200], codes[200:])
    model, converged = fit_logistic(train, classes[:200, 0])
    assert converged
    expected = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(codes[:200], classes[:200, 0])
    assert np.allclose(model.predict_proba(test), expected.predict_proba(codes[200:]), atol=1e-9)
    constant = standardise(np.full((3, 1), 0.1), np.full((2, 1), 0.7))
    assert not constant[0].any()
    assert not constant[1].any()


def test_fits_that_do_not_converge_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "ITERATIONS", 2)
    codes, classes = drawn(np.random.default_rng(0), 300)
    assert not explicitness(codes, classes, num_train=200).converged
    votes = {"num_train": 200, "train_votes": 100, "eval_votes": 50, "pairs_per_vote": 8}
    assert not betavae(codes, classes, **votes, generator=torch.Generator().manual_seed(0)).converged
