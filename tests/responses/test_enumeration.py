"""Interventions on quantised latents: exact over values, by known answers, loops, and random draws."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.generation.assay import sample_latents
from lrx.core.adapt import adapt
from lrx.core.types import Quantized
from lrx.models.quantized import nearest
from lrx.responses.draws import blocks, enumerated
from lrx.responses.encoding import CachedEncoder
from lrx.responses.enumeration import enumeration, of_prior
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measure_matrix import measure_matrix
from lrx.responses.measurement import Measurement, measurement
from lrx.responses.work_units import Shard, ShardDone, StoredUnits
from tests.support.models_for_tests import Vectors
from tests.support.models_for_tests import one_thread as one_thread

VALUES = torch.tensor([[-2.0, -0.5, 0.25, 1.0], [-1.0, 0.0, 1.0, 3.0], [-0.3, -0.1, 0.1, 0.3]], dtype=torch.float64)


class Grid(nn.Module):
    """Codes are the nearest values; encode(decode(z)) is z for every value."""

    def __init__(self, table: Tensor = VALUES) -> None:
        super().__init__()
        self.table = nn.Parameter(table.clone(), requires_grad=False)

    def latent_values(self) -> Tensor:
        return self.table

    def encode(self, x: Tensor) -> Tensor:
        return nearest(x, self.table)

    def decode(self, z: Tensor) -> Tensor:
        return z.clone()


class Dead(Grid):
    """The decoder ignores latent 1, and so every code has one value there."""

    def decode(self, z: Tensor) -> Tensor:
        return z * torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)


class Coupled(Grid):
    """Latents act on each other, and responses jump."""

    def decode(self, z: Tensor) -> Tensor:
        return torch.stack([z[:, 0] + 0.7 * z[:, 1], z[:, 1] * z[:, 0].sign(), z[:, 2] + 0.2 * z[:, 1]], dim=1)


class Drawn(nn.Module):
    """The same model without a word about its values, which are then drawn from data."""

    def __init__(self, model: Grid) -> None:
        super().__init__()
        self.model, self.encode, self.decode = model, model.encode, model.decode


def prepared(model: nn.Module, seed: int = 0, count: int = 400, **given: Any) -> Measurement:
    return measurement(model, Vectors(count), torch.Generator().manual_seed(seed), batch_size=64, **given)


def matrix_of(model: nn.Module, seed: int = 0, **settings: Any) -> ResponseMatrix:
    return measure_matrix(prepared(model, seed), **({"base": "prior", "num_samples": 1024, "net": 32} | settings))


def test_identity_has_pairwise_mean_square() -> None:
    """Nets of 32 points hold each of 4 values equally often: the estimate has no sampling error at all."""
    matrix, se = matrix_of(Grid()).on_scale("none")
    pairs = (VALUES[:, :, None] - VALUES[:, None, :]).square().mean((1, 2)).sqrt()
    assert torch.allclose(matrix.diagonal(), pairs, rtol=1e-12)
    assert (matrix - torch.diag(matrix.diagonal()) == 0).all()
    assert se.max() < 1e-7  # the root of rounding


def test_dead_latent_has_row_and_column_of_zeros() -> None:
    matrix, se = matrix_of(Dead()).on_scale("half")
    assert matrix[1].tolist() == matrix[:, 1].tolist() == [0, 0, 0]
    assert se[1].tolist() == [0, 0, 0]
    assert (matrix.diagonal()[[0, 2]] > 0).all()


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_estimate_equals_double_loop(base: str) -> None:
    model, number = Coupled(), 150
    matrix = matrix_of(model, base=base, num_samples=number, net=1)
    m = prepared(model)
    drawn = blocks(m, base=base)
    found = enumeration(m, base=base, num_samples=number)
    z = torch.cat([block.draws().z_ND for _, block in zip(range(2), enumerated(drawn, found), strict=False)])
    codes = model.encode(Vectors(400).points)
    expected, errors = np.zeros((3, 3)), np.zeros((3, 3))
    for j in range(3):
        counted = Counter(codes[:, j].tolist()) if base == "posterior" else Counter(VALUES[j].tolist())
        squares = np.zeros((number, 3))
        for i in range(number):
            h = model.encode(model.decode(z[i : i + 1]))
            for value, times in counted.items():
                other = z[i : i + 1].clone()
                other[0, j] = value
                change = model.encode(model.decode(other)) - h
                squares[i] += times / sum(counted.values()) * change[0].square().numpy()
        expected[j] = np.sqrt(squares.mean(0))
        spread = squares.std(0) / np.sqrt(number - 1)
        errors[j] = np.divide(spread, 2 * expected[j], out=np.zeros(3), where=expected[j] > 0)
    assert 0 < (expected == 0).sum() < 9
    found_matrix, found_errors = matrix.on_scale("none")
    np.testing.assert_allclose(found_matrix.numpy(), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found_errors.numpy(), errors, rtol=1e-9, atol=1e-12)


def test_enumeration_agrees_with_random_draws() -> None:
    exact, exact_se = matrix_of(Coupled(), base="posterior", num_samples=2000, net=1).on_scale("half")
    drawn, drawn_se = matrix_of(Drawn(Coupled()), base="posterior", num_samples=20_000, net=1).on_scale("half")
    apart = drawn > 0
    assert torch.equal(apart, exact > 0)
    assert ((exact - drawn).abs() < 4 * (exact_se.square() + drawn_se.square()).sqrt())[apart].all()


def test_standard_error_matches_repeated_estimates() -> None:
    for base in ("prior", "posterior"):
        estimates = [
            matrix_of(Coupled(), seed, base=base, num_samples=64, net=1).on_scale("half") for seed in range(80)
        ]
        spread = torch.stack([matrix for matrix, _ in estimates]).std(0)
        error = torch.stack([se for _, se in estimates]).mean(0)
        assert ((error / spread)[spread > 1e-9] - 1).abs().max() < 0.4


def test_enumeration_has_smaller_error_than_draws() -> None:
    exact = matrix_of(Grid(), base="posterior", num_samples=300, net=1).self_responses("half")[1]
    drawn = matrix_of(Drawn(Grid()), base="posterior", num_samples=300, net=1).self_responses("half")[1]
    assert (exact < 0.8 * drawn).all()


def test_prior_points_are_values() -> None:
    m = prepared(Grid())
    z = of_prior(m, torch.randn(4000, 3, generator=m.generator, dtype=torch.float64))
    for j in range(3):
        shares = [(z[:, j] == value).double().mean().item() for value in VALUES[j]]
        assert shares == pytest.approx([0.25] * 4, abs=4 * np.sqrt(0.1875 / 4000))
    latents = sample_latents(m, torch.arange(50), refinements=1)
    assert all((latents[name][:, :, None] == VALUES).any(2).all() for name in ("prior", "hybrid", "refined"))


def test_shards_give_the_same_matrix() -> None:
    settings = {"base": "posterior", "num_samples": 200, "net": 1}
    whole = matrix_of(Coupled(), **settings)
    stored = {}
    for number in (1, 2, 3):
        shard = Shard(number, 3)
        with pytest.raises(ShardDone):
            measure_matrix(prepared(Coupled(), share=shard), **settings)
        stored |= shard.values_by_key
    joined = measure_matrix(prepared(Coupled(), share=StoredUnits(stored.__getitem__)), **settings)
    assert torch.equal(joined.products_RDTT, whole.products_RDTT)


def test_progress_reaches_the_number_of_responses() -> None:
    seen: list[tuple[int, int]] = []
    m = prepared(Coupled(), progress=lambda done, total: seen.append((done, total)))
    measure_matrix(m, base="prior", num_samples=200, net=1)
    assert seen[-1] == (200 * (3 * 4 + 1),) * 2


def test_wrappers_keep_the_values() -> None:
    for wrapped in (adapt(Grid()), CachedEncoder(Grid(), Vectors(9))):
        assert isinstance(wrapped, Quantized)
        assert torch.equal(wrapped.latent_values(), VALUES)
    assert not isinstance(adapt(Drawn(Grid())), Quantized)
    assert not isinstance(CachedEncoder(Drawn(Grid()), Vectors(9)), Quantized)


def test_wrong_values_are_refused() -> None:
    wrong = Grid(VALUES[:2])
    wrong.encode = Grid().encode  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"latent_values gives \(2, 4\), not finite values of each of 3 latents"):
        matrix_of(wrong)
    off = Grid()
    off.encode = lambda x: x  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"encode gives codes of latent 0 that are .* away from its nearest value"):
        matrix_of(off, base="posterior")
