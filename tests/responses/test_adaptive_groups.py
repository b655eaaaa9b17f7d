"""Groups of each factor by what its errors need: honest intervals, and groups where the error is."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from lrx.assays.conditioned_response.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.factors import FactorSpace
from lrx.core.types import AssayResult
from lrx.responses.adaptive_groups import PILOT, Factors, Groups, GroupTarget, mean_and_error
from lrx.responses.conditioned import GroupResponses
from lrx.responses.work_units import ALL_UNITS, Share
from tests.support.assays_for_tests import assert_batches_and_shards_change_nothing, measure_with
from tests.support.class_grid import ClassGrid, LinearPair
from tests.support.models_for_tests import one_thread as one_thread
from tests.support.models_for_tests import values

REPEATS, GRID = 500, 2000


class Synthetic(Factors):
    """Factors that each repeat one measurement; the root mean square of a group has a law with the mean 1."""

    def __init__(self, law: str, generator: torch.Generator) -> None:
        self.of = {factor: Groups(torch.arange(GRID)) for factor in range(REPEATS)}
        self.pilot_responses, self._max_groups = 0, GRID // 2
        draws = torch.rand(REPEATS, GRID, 1, generator=generator, dtype=torch.float64)
        laws = {"even": 2 * draws, "heavy": -draws.log(), "discrete": (draws < 0.3) / 0.3, "dead": 0 * draws}
        self.population = laws[law]

    def add(self, number: Mapping[int, int], share: Share) -> None:
        for factor, count in number.items():
            own = self.of[factor]
            part = self.population[factor, own.taken : own.taken + count].square()
            own.values.append((part, torch.zeros_like(part), torch.tensor(len(part))))
            own.taken += count

    def measured(self) -> dict[int, GroupResponses]:
        found = {}
        for factor, own in self.of.items():
            squares, variances, _ = zip(*(own.values or own.pilot), strict=True)
            found[factor] = GroupResponses(torch.cat(squares), torch.cat(variances), GRID, 12, 0)
        return found


@pytest.mark.parametrize(("law", "se"), [("even", 0.04), ("heavy", 0.05), ("discrete", 0.07)])
def test_coverage_of_95_percent_intervals(law: str, se: float) -> None:
    """Intervals of t with one degree of freedom less than groups, over 500 grids, each with its own truth."""
    factors = Synthetic(law, torch.Generator().manual_seed(0))
    covered, counts = [], []
    for factor, groups in factors.sample(PILOT, GroupTarget(se, None, "mean_of_rms"), ALL_UNITS).items():
        mean, error = (float(part) for part in mean_and_error(groups, "mean_of_rms"))
        counts.append(len(groups.mean_square_GD))
        assert error <= se
        t = scipy.stats.t.ppf(0.975, counts[-1] - 1)
        covered.append(abs(mean - float(factors.population[factor].mean())) <= t * error)
    assert 0.93 <= np.mean(covered) <= 0.97
    assert len(set(counts)) > 50


def test_factors_without_response_get_least_groups() -> None:
    factors = Synthetic("dead", torch.Generator().manual_seed(0))
    found = factors.sample(PILOT, GroupTarget(0.1, None, "mean_of_rms"), ALL_UNITS)
    assert {len(groups.mean_square_GD) for groups in found.values()} == {PILOT}


class Grid:
    """Grid of six factors as vectors: responses to the second are all alike, others depend on the other factors."""

    name, source, fingerprint, observation_shape = "grid", "made in memory", "0", (2,)
    factors = FactorSpace(("first", "second", "third", "fourth", "fifth", "sixth"), (4,) * 6)

    def __len__(self) -> int:
        return self.factors.num_points

    def raw(self, indices: Tensor) -> Tensor:
        first, second, *others = self.factors.classes(indices).double().T
        return torch.stack([first * (1 + torch.sin(sum(others))), second], dim=1)

    images = raw


class Identity(nn.Module):
    """Autoencoder whose response is what was set."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.weight = 0, nn.Parameter(torch.ones((), dtype=torch.float64))

    def encode(self, x: Tensor) -> Tensor:
        return x * self.weight

    def decode(self, z: Tensor) -> Tensor:
        self.seen += len(z)
        return z


def assay(model: nn.Module | None = None, **settings: object) -> AssayResult:
    own = Settings(num_bootstrap=300, **settings)  # type: ignore[arg-type]
    result = run_assay(own, model or Identity(), Grid(), torch.Generator().manual_seed(1))
    assert isinstance(result, AssayResult)
    return result


def test_groups_go_to_factors_by_their_errors() -> None:
    model = Identity()
    result = assay(model, target_se=0.1)
    first, second, *_ = values(result, "num_groups")
    assert result.settings["target_reached"]
    assert values(result, "matrix_se").max() <= 0.1
    assert first > 4 * PILOT
    assert second == PILOT
    assert result.settings["num_responses"] == model.seen
    truth = assay(num_groups=1024)
    assert (np.abs(values(result) - values(truth)) <= 4 * values(result, "matrix_se") + 1e-12).all()


def test_small_grid_is_measured_whole() -> None:
    result, truth = assay(target_se=1e-6, max_groups=3000), assay(num_groups=1024)
    assert values(result, "num_groups")[0] == values(result, "num_groups_of_grid")[0] == 1024
    assert result.settings["target_reached"]
    assert np.allclose(values(result), values(truth))
    assert values(result, "matrix_se").max() < 1e-12


def test_relative_target_and_limit() -> None:
    assert assay(target_relative_se=0.05).settings["target_reached"]
    limited = assay(target_se=1e-3, max_groups=40)
    assert limited.settings["target_reached"] is False
    assert values(limited, "num_groups").max() == 40
    assert math.isclose(float(limited.settings["num_pilot"] or 0), PILOT)


def test_shards_of_a_grid_that_the_pilot_measures_change_nothing() -> None:
    measure = measure_with(Settings(target_se=0.1, num_bootstrap=20))
    assert_batches_and_shards_change_nothing(measure, LinearPair(torch.eye(2)), ClassGrid(5, 4))
