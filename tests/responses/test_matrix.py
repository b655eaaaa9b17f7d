"""Standard errors of the response matrix, and its sums over blocks of draws."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from lrx.responses.draws import Block, Draws, blocks
from lrx.responses.interventions import block_responses, row_units
from lrx.responses.latent_response import intervene
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measure_matrix import add_draws
from lrx.responses.measurement import measurement
from lrx.responses.response_sums import feature_sums, unit_sums
from lrx.responses.units import elements
from tests.assays.test_response_matrix import A, Curved
from tests.support.models_for_tests import Linear, Vectors
from tests.support.models_for_tests import one_thread as one_thread


def matrix_over(model: nn.Module, given: Iterable[Block], num_samples: int) -> ResponseMatrix:
    """Return the response matrix of three latents over the first draws of these blocks."""
    matrix = ResponseMatrix(range(3), 3)
    sums = functools.partial(unit_sums, net=1, num_groups=0, num_samples=num_samples)
    drawn = block_responses(model, given, rows=range(3), units=elements(3), num_samples=num_samples, batch_size=512)
    for unit in row_units(drawn, sums):
        matrix.add(unit.key[1], unit.evaluate())
    return matrix


def matrix_of_draws(model: nn.Module, drawn: Draws, scale: str) -> tuple[Tensor, Tensor]:
    """Return matrix and standard errors over these draws, in one block."""
    return matrix_over(model, [Block(len(drawn), lambda: drawn)], len(drawn)).on_scale(scale)


@pytest.mark.parametrize("base", ["prior", "posterior", "posterior_sample"])
def test_standard_errors_match_repeated_estimates(base: str) -> None:
    data, model = Vectors(20_000), Curved()
    estimates: dict[str, list[tuple[Tensor, Tensor]]] = {"half": [], "std": []}
    for seed in range(200):
        m = measurement(model, data, torch.Generator().manual_seed(seed), batch_size=512)
        matrix = matrix_over(model, blocks(m, base=base), 256)
        for normalization, collected in estimates.items():
            collected.append(matrix.on_scale(normalization))
    for collected in estimates.values():
        spread = torch.stack([matrix for matrix, _ in collected]).std(0)
        ratio = torch.stack([se for _, se in collected]).mean(0) / spread
        # the spread of 200 numbers is known to 5 %: nine of them to 20 %, their mean to 10 %
        assert (ratio - 1).abs().max() < 0.2, ratio
        assert abs(ratio.mean() - 1) < 0.1, ratio


@pytest.mark.parametrize("normalization", ["none", "std"])
def test_standard_errors_match_bootstrap(normalization: str) -> None:
    generator = torch.Generator().manual_seed(5)
    z, v = torch.randn(2, 400, 3, generator=generator, dtype=torch.float64)
    model = Curved()
    _, se = matrix_of_draws(model, Draws(z, v), normalization)
    with torch.no_grad():
        h = model.encode(model.decode(z))
        d2 = torch.stack([(model.encode(model.decode(intervene(z, j, v[:, j]))) - h).square() for j in range(3)])
    picks = torch.randint(400, (1000, 400), generator=generator)
    estimates = d2[:, picks].mean(2).sqrt()  # (3, 1000, 3)
    if normalization == "std":
        estimates = (estimates / math.sqrt(2)) / h[picks].std(dim=1, correction=0)
    assert torch.allclose(se, estimates.std(dim=1), rtol=0.12)


def test_sums_over_blocks_equal_sums_over_one_block() -> None:
    z, v = torch.randn(2, 100, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    parts = [Draws(z[part], v[part]) for part in (slice(0, 30), slice(30, 100))]
    matrix = matrix_over(Curved(), [Block(len(part), functools.partial(Draws.first, part, 100)) for part in parts], 100)
    for normalization in ("half", "std"):
        one_block = matrix_of_draws(Curved(), Draws(z, v), normalization)
        for in_blocks, at_once in zip(matrix.on_scale(normalization), one_block, strict=True):
            assert torch.allclose(in_blocks, at_once, rtol=1e-10)


def test_coverage_of_95_percent_intervals() -> None:
    """Repeat 512 draws of a linear model, whose matrix is known, 500 times; exact zeros have no interval."""
    truth = {"half": A.abs().T, "std": (A.abs() / A.square().sum(1, keepdim=True).sqrt()).T}
    covered: dict[str, list[Tensor]] = {scale: [] for scale in truth}
    for seed in range(500):
        m = measurement(Linear(A), Vectors(), torch.Generator().manual_seed(seed), batch_size=512)
        measured = add_draws(m, ResponseMatrix(range(3), 3), num_samples=512)
        for scale, expected in truth.items():
            matrix, se = measured.on_scale(scale)
            covered[scale].append(((matrix - expected).abs() <= 1.96 * se)[expected > 0])
    for found in covered.values():
        share = torch.stack(found).double().mean(0)
        assert 0.93 <= share.mean() <= 0.97
        assert ((share - 0.95).abs() <= 4 * math.sqrt(0.05 * 0.95 / 500)).all()


def test_std_ignores_rounding() -> None:
    sums = ResponseMatrix(range(2), 2)
    h = torch.ones(50, 2) + torch.tensor([0, 1.0]) * torch.randn(50, 1, generator=torch.Generator().manual_seed(0))
    h[::2, 0] += 1.2e-7
    for latent in range(2):
        after = h.flip(0) + torch.tensor([0, float(latent)])
        sums.add(latent, feature_sums(h, [after], None, centre_D=h.double().mean(0)))
    matrix, se = sums.on_scale("std")
    assert matrix[:, 0].tolist() == [0, 0]
    assert se[:, 0].tolist() == [0, 0]
    assert (matrix[:, 1] > 0).all()


def test_std_of_constant_response_that_moves_is_infinite() -> None:
    sums = ResponseMatrix([0], 1)
    h = torch.ones(50, 1, dtype=torch.float64)
    sums.add(0, feature_sums(h, [2 * h], None, centre_D=h[0]))
    matrix, se = sums.on_scale("std")
    assert (matrix.item(), se.item()) == (math.inf, math.inf)
    assert sums.on_scale("none")[0].item() == 1


def test_error_of_one_move_is_half_size() -> None:
    sums = ResponseMatrix([0], 1)
    after = torch.zeros(1000, 1, dtype=torch.float64)
    after[3] = 2
    sums.add(0, feature_sums(torch.zeros_like(after), [after], None, centre_D=torch.zeros(1).double()))
    matrix, se = sums.on_scale("none")
    assert matrix.item() == pytest.approx(2 / math.sqrt(1000))
    assert se.item() == pytest.approx(matrix.item() / 2, rel=1e-3)
