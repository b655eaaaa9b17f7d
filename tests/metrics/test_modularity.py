"""Modularity (Ridgeway and Mozer 2018): latents that vary by chance are left out."""

from __future__ import annotations

import numpy as np
import pytest

from lrx.metrics.modularity import modularity
from tests.metrics.test_metrics import grid, noise, seeded, standardised
from tests.support.models_for_tests import one_thread as one_thread


def test_dead_codes_are_not_modular() -> None:
    classes = grid(20, (2, 3, 20))  # noise knows most, by chance, of the factor with most values
    dead = 0.01 * noise(len(classes), 3)
    only_dead = modularity(dead, classes, bins=20, generator=seeded())
    assert (only_dead.modularity, only_dead.num_informative_by_mi) == (0, 0)
    squares = np.square(only_dead.mutual_information_DF)
    plain = 1 - (squares.sum(axis=1) / squares.max(axis=1) - 1) / 2
    assert plain.min() > 0.9  # what they would score
    mixed = standardised(classes) @ np.array([[1, 0, 0], [0, 1, 1], [0, 1, -1]])
    alone = modularity(mixed, classes, bins=20, generator=seeded())
    beside = modularity(np.concatenate([mixed, dead], axis=1), classes, bins=20, generator=seeded())
    assert beside.modularity == pytest.approx(alone.modularity, abs=1e-12)
    assert beside.num_informative_by_mi == alone.num_informative_by_mi == 3
