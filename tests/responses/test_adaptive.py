"""Draws of each row by what its errors need: honest intervals, and no more draws than that."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from lrx.responses.adaptive import FAIR, PILOT, Rows, Target, first_draws, net_sizes
from lrx.responses.draws import BLOCK, net_size
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measurement import measurement
from lrx.responses.work_units import ALL_UNITS, Share
from tests.assays.test_response_matrix import A, Curved, Linear, Vectors, assay, values
from tests.support.models_for_tests import one_thread as one_thread

REPEATS = 500
HEAVY = 0.4  # d^2 = (exp(s z) - 1)^2, whose kurtosis is above 200
LAWS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {  # d^2 of a draw from a uniform number, and its mean
    "normal": (lambda u: torch.special.ndtri(u).square(), 1.0),
    "heavy": (lambda u: torch.expm1(HEAVY * torch.special.ndtri(u)).square(), 0.0),
    "discrete": (lambda u: (u < 0.05).double(), 0.05),
    "tiny": (lambda u: 1e-6 * torch.special.ndtri(u).square(), 1e-6),
    "dead": (torch.zeros_like, 0.0),
}
LAWS["heavy"] = LAWS["heavy"][0], math.exp(2 * HEAVY**2) - 2 * math.exp(HEAVY**2 / 2) + 1


class Synthetic(Rows):
    """Rows that each repeat one measurement of an entry with d^2 of a known law, in nets that are a quarter even."""

    def __init__(self, law: str, nets: list[int], max_samples: int, generator: torch.Generator) -> None:
        self.matrix = ResponseMatrix(range(REPEATS), 1, net=nets, with_std=False)
        self.share, self._sizes = ALL_UNITS, (BLOCK, BLOCK)
        self.limits(max_samples)
        self._law, self._generator = LAWS[law][0], generator

    def add(self, draws_R: Tensor, share: Share) -> None:
        for place, draws in enumerate(draws_R.tolist()):
            net = int(self.matrix.net_R[place])
            count, even = draws // net, net // 4
            if count:
                u_NM = torch.rand(count, net, generator=self._generator, dtype=torch.float64)
                u_NM[:, :even] = (torch.arange(even) + u_NM[:, :even]) / max(1, even)
                features_NT = torch.stack([torch.ones(count).double(), self._law(u_NM).mean(1)], dim=1)
                self.matrix.products_RDTT[place, 0] += features_NT.T @ features_NT


def repeated(law: str, se: float, net_of: Callable[[int], int]) -> ResponseMatrix:
    """Return a matrix of REPEATS measurements to this standard error, each by its own pilot."""
    generator, target, most = torch.Generator().manual_seed(0), Target(se, None, "half"), 2**14
    pilot = Synthetic(law, [net_of(PILOT)] * REPEATS, PILOT, generator)
    pilot.add(torch.full((REPEATS,), PILOT), ALL_UNITS)
    draws_R = first_draws(pilot.matrix, target, PILOT, most)
    rows = Synthetic(law, [net_of(draws) for draws in draws_R.tolist()], most, generator)
    rows.sample(draws_R, target)
    return rows.matrix


@pytest.mark.parametrize("net_of", [net_size, lambda draws: 1], ids=["nets", "independent"])
@pytest.mark.parametrize(("law", "se"), [("normal", 0.01), ("heavy", 0.006), ("discrete", 0.005), ("tiny", 0.005)])
def test_coverage_of_95_percent_intervals(law: str, se: float, net_of: Callable[[int], int]) -> None:
    """Intervals of t with one degree of freedom less than nets, over 500 repeats that stop by their own errors."""
    matrix = repeated(law, se, net_of)
    found, error = (part[:, 0].numpy() for part in matrix.on_scale("half"))
    assert error.max() <= se
    t = scipy.stats.t.ppf(0.975, matrix.num_nets.numpy() - 1)
    assert 0.93 <= np.mean(np.abs(found - math.sqrt(LAWS[law][1] / 2)) <= t * error) <= 0.97
    needed = matrix.num_draws.numpy() * (error / se) ** 2
    assert matrix.num_draws.double().mean() < max(1.3 * needed.mean(), FAIR)


@pytest.mark.parametrize("law", ["tiny", "dead"])
def test_rows_that_hardly_move_get_least_draws(law: str) -> None:
    assert (repeated(law, 0.01, net_size).num_draws == PILOT).all()


class Rows4(nn.Module):
    """Four latents: one linear, one that saturates, one that moves rarely and far, and one that is ignored."""

    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, z: Tensor) -> Tensor:
        a, b, c, _ = z.unbind(1)
        return torch.stack([a, torch.tanh(2 * b), 3 * (c > 1.5).to(z), torch.zeros_like(a)], dim=1)


def test_rows_get_draws_by_their_errors() -> None:
    model, seen = Rows4(), []
    decode = model.decode
    model.decode = lambda z: (seen.append(len(z)), decode(z))[1]  # type: ignore[method-assign]
    result = assay(model, data=Vectors(9, 4), draws="quasi", target_se=0.01, max_samples=2**15)
    draws = values(result, "num_draws")
    assert draws[3] == PILOT
    assert draws[2] > 4 * draws[0]  # the rare moves
    assert result.settings["target_reached"]
    assert values(result, "matrix_se").max() <= 0.01
    assert result.settings["num_responses"] == sum(seen)
    chance = scipy.stats.norm.sf(1.5)
    truth = [1.0, math.nan, 3 * math.sqrt(chance * (1 - chance)), 0.0]
    found, error = np.diagonal(values(result)), np.diagonal(values(result, "matrix_se"))
    assert all(abs(found[row] - truth[row]) <= 4 * error[row] for row in (0, 2, 3))
    assert np.allclose(values(result, "num_nets") * [32, 32, 32, 8], draws)


def test_batch_size_changes_no_number_of_draws() -> None:
    results = [assay(Curved(), draws="quasi", target_se=0.01, batch_size=size) for size in (37, 4096)]
    assert np.array_equal(*(values(result, "num_draws") for result in results))
    assert np.allclose(*(values(result) for result in results), rtol=1e-12)


def test_relative_target_follows_scale_of_codes() -> None:
    small, large = (assay(Linear(scale * A), target_relative_se=0.02) for scale in (1.0, 50.0))
    assert np.array_equal(values(small, "num_draws"), values(large, "num_draws"))
    assert values(large, "matrix_se").max() <= 0.02 * values(large).max()
    assert values(large, "matrix_se").max() > 0.01 * values(large).max()


def test_both_targets_hold() -> None:
    result = assay(Curved(), target_se=0.02, target_relative_se=0.02)
    assert values(result, "matrix_se").max() <= 0.02 * values(result).max() < 0.02


@pytest.mark.parametrize("normalization", ["half", "none", "std"])
def test_adaptive_equals_many_draws_on_each_scale(normalization: str) -> None:
    many = assay(Curved(), seed=7, normalization=normalization, num_samples=2**16)
    result = assay(Curved(), normalization=normalization, target_se=0.005, max_samples=2**17)
    error = np.hypot(values(many, "matrix_se"), values(result, "matrix_se"))
    assert (np.abs(values(many) - values(result)) <= 4 * error).all()
    for name in ("read_back", "step"):
        assert np.allclose(values(many, name), values(result, name), rtol=0.03)
    assert np.allclose(values(many, "response_std"), values(result, "response_std"), rtol=0.03)


def test_rows_go_on_after_others_have_their_most() -> None:
    m = measurement(Curved(), Vectors(9), torch.Generator().manual_seed(0))
    rows = Rows(m, ResponseMatrix(range(3), 3, with_std=False), torch.zeros(3).double(), Curved(), max_samples=1000)
    rows.add(rows.in_blocks(torch.tensor([2000, 256, 300])), ALL_UNITS)
    assert rows.matrix.num_draws.tolist() == [1000, 256, 384]
    target = Target(1e-9, None, "half")
    while (more := rows.more(target)).any():
        rows.add(more, ALL_UNITS)
    assert rows.matrix.num_draws.tolist() == [1000] * 3


def test_sizes_of_nets() -> None:
    assert net_sizes(256, 16_384, quasi=True) == [8, 32]
    assert net_sizes(64, 256, quasi=True) == [1, 8]
    assert net_sizes(64, 256, quasi=False) == [1]
