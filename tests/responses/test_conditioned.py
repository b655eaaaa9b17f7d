from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from lrx.core.factors import FactorSpace
from lrx.responses.conditioned import GroupResponses, conditioned_responses, draw_pairs, ends, group_indices
from lrx.responses.measurement import measurement
from tests.support.class_grid import ClassGrid, LinearPair
from tests.support.models_for_tests import one_thread as one_thread


def test_root_mean_square_is_corrected() -> None:
    """Over all 12 of 90 pairs that can be drawn, the mean of the corrected root is nearer to the root of all."""
    generator = torch.Generator().manual_seed(0)
    squares = torch.randn(90, generator=generator, dtype=torch.float64).square()
    drawn = squares[draw_pairs(10, 20_000, 12, generator)]
    variance = (1 - 12 / 90) * drawn.var(1) / 12
    groups = GroupResponses(drawn.mean(1)[:, None], variance[:, None], 20_000, 12, 0)
    root, of_pairs = groups.rms()
    exact = squares.mean().sqrt()
    assert drawn.mean(1).sqrt().mean() < 0.99 * exact
    assert abs(root.mean() / exact - 1) < 0.004
    assert float(of_pairs.mean()) == pytest.approx(float(root.var()), rel=0.2)


def test_groups_are_traversals() -> None:
    factors = FactorSpace(("a", "b", "c"), (3, 4, 2))
    for factor, size in enumerate(factors.sizes):
        groups = group_indices(factors, factor, torch.arange(24 // size))
        assert sorted(groups.flatten().tolist()) == list(range(24))
        for group in groups:
            walk = factors.traversal(factors.classes(group[0]), factor)
            assert torch.equal(factors.index(walk), group)


def test_pairs_are_distinct() -> None:
    a, b = ends(torch.arange(20), 5)
    assert [*zip(a.tolist(), b.tolist(), strict=True)] == list(itertools.permutations(range(5), 2))
    for count in (7, 15):
        drawn = draw_pairs(5, 1000, count, torch.Generator().manual_seed(0))
        assert all(len(row.unique()) == count for row in drawn)
        expected = 1000 * count / 20
        assert np.allclose(np.bincount(drawn.flatten(), minlength=20), expected, atol=4.5 * math.sqrt(expected))


def test_parts_give_same_responses(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = ClassGrid(3, 50)  # every group with 6 pairs: nothing is drawn but the order of the groups
    small = LinearPair(torch.ones(7, 2), torch.ones(2, 7) / 7)

    def responses() -> GroupResponses:
        m = measurement(small, grid, torch.Generator(), batch_size=100)
        return conditioned_responses(m, 0, num_groups=50, max_pairs=6)

    whole = responses()
    monkeypatch.setattr("lrx.responses.conditioned.POINTS", 50)
    monkeypatch.setattr("lrx.responses.conditioned.PAIRS", 50)
    parts = responses()
    assert torch.allclose(whole.mean_square_GD, parts.mean_square_GD)
    assert whole.num_responses == parts.num_responses == 50 * (3 + 7 * 6)
