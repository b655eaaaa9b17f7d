"""Standard errors of the conditioned response matrix: coverage of intervals, variance of the bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lrx.assays.conditioned_response.assay import bootstrap
from lrx.core.types import AssayResult
from lrx.responses.conditioned import GroupResponses
from tests.assays.test_conditioned_response import assay
from tests.support.class_grid import ClassGrid, Curved
from tests.support.models_for_tests import one_thread as one_thread
from tests.support.models_for_tests import values


@pytest.fixture(scope="module")
def repeats() -> tuple[AssayResult, np.ndarray, np.ndarray]:
    """The exact result of a grid; estimates and standard errors of 150 samples of it: entries, cds, completeness."""
    grid, model, names = ClassGrid(12, 10, 11), Curved(), ("cds", "completeness")
    exact = assay(model, grid, max_pairs=10**6)
    estimates, errors = [], []
    for seed in range(150):
        result = assay(model, grid, seed, num_groups=32, max_pairs=12, num_bootstrap=200)
        estimates.append([*values(result).flatten(), *(result.scores[name] for name in names)])
        errors.append([*values(result, "matrix_se").flatten(), *(result.scores[f"{name}_se"] for name in names)])
    return exact, np.array(estimates), np.array(errors)


def test_intervals_cover_exact_value(repeats: tuple[AssayResult, np.ndarray, np.ndarray]) -> None:
    """95 % intervals of 32 groups hold the exact value in 90 to 98.5 of 100 samples: entries, cds, completeness."""
    exact, estimates, errors = repeats
    expected = np.array([*values(exact).flatten(), exact.scores["cds"], exact.scores["completeness"]])
    student = 2.04  # of 31 degrees of freedom
    covered = (abs(estimates - expected) <= student * errors).mean(0)
    # 150 samples have an error of 1.8 %; errors too small or too large by 1.5 would cover 81 or 99.5 %
    for share in (covered[:-2].mean(), covered[-2], covered[-1]):
        assert 0.9 <= share <= 0.985
    assert np.allclose(errors.mean(0), estimates.std(0), rtol=0.22)


def test_sampled_matrix_agrees_with_exact(repeats: tuple[AssayResult, np.ndarray, np.ndarray]) -> None:
    """Drawn pairs bias the root of a mean; what is left of that is lost in the error of one sample."""
    exact, estimates, errors = repeats
    expected = values(exact).flatten()
    mean, mean_se = estimates[:, :-2].mean(0), estimates[:, :-2].std(0) / math.sqrt(len(estimates))
    assert (abs(mean - expected) < 3 * mean_se + 0.1 * errors[:, :-2].mean(0)).all()
    assert (abs(estimates[0, :-2] - expected) <= 3 * errors[0, :-2]).all()


def test_bootstrap_variance() -> None:
    values_GD = torch.rand(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    some = GroupResponses(values_GD, torch.full_like(values_GD, 0.01), 50, 12, 0)
    matrix, replicates = bootstrap([some], reduction="pooled", count=20_000, generator=torch.Generator())
    expected = (1 - 20 / 50) * values_GD.var(0) / 20 + (20 / 50) * 0.01 / 20
    assert torch.allclose(matrix[0], values_GD.mean(0).sqrt())
    assert torch.allclose(replicates[:, 0].square().var(0), expected, rtol=0.05)
