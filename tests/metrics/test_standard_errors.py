"""Standard errors of metrics are the spread of repeated estimates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from lrx.metrics.explicitness import explicitness
from lrx.metrics.mig import mig
from lrx.metrics.modularity import modularity
from lrx.metrics.sap import sap
from lrx.metrics.unsupervised import unsupervised
from tests.metrics.test_metrics import drawn, grid, seeded, standardised, votes
from tests.support.models_for_tests import one_thread as one_thread


def error_over_spread(measure: Callable[[np.random.Generator], Sequence[float]]) -> np.ndarray:
    """Mean standard error over the spread of repeated estimates (score, error, score, ...): 80 tell it to 8 %."""
    found = np.array([measure(np.random.default_rng(seed)) for seed in range(80)])
    return np.asarray(found[:, 1::2].mean(axis=0) / found[:, ::2].std(axis=0, ddof=1))


def test_standard_errors_over_points_match_repeats() -> None:
    def of_points(random: np.random.Generator) -> Sequence[float]:
        codes, classes = drawn(random, 1000)
        of_modularity = modularity(codes, classes, bins=20, generator=seeded())
        return [*mig(codes, classes, bins=20)[:2], *of_modularity[:2], *unsupervised(codes, bins=20)]

    assert error_over_spread(of_points) == pytest.approx(np.ones(6), abs=0.25)


def test_standard_errors_over_test_points_match_repeats() -> None:
    train = drawn(np.random.default_rng(1000), 300)

    def tested(random: np.random.Generator) -> Sequence[float]:
        test = drawn(random, 300)
        given = np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]])
        separate = sap(*given, num_train=300, penalty=0.01, generator=seeded())
        return [*explicitness(*given, num_train=300)[:2], *separate[:2]]

    assert error_over_spread(tested) == pytest.approx(np.ones(2), abs=0.25)


def test_an_accuracy_of_one_has_an_error() -> None:
    found = votes(standardised(grid()), grid())
    assert found.factorvae == 1
    assert 0.001 < found.factorvae_se < 0.003
