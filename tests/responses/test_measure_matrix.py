"""Shards of a large matrix: each has some rows and no sums of others, and joined they are the matrix, bit for bit."""

from __future__ import annotations

import math

import pytest
import torch

from lrx.responses.cost import matrix_cost
from lrx.responses.interventions import bands
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measure_matrix import add_draws
from lrx.responses.measure_mixed import measure_mixed
from lrx.responses.measurement import Measurement, measurement
from lrx.responses.work_units import ALL_UNITS, Key, Shard, ShardDone, Share, StoredUnits, Values
from tests.support.models_for_tests import Linear, Vectors
from tests.support.models_for_tests import one_thread as one_thread

LATENTS, SHARDS, DRAWS = 200, 3, 300


def prepared(share: Share = ALL_UNITS) -> Measurement:
    matrix = torch.randn(LATENTS, LATENTS, generator=torch.Generator().manual_seed(1)) / math.sqrt(LATENTS)
    generator = torch.Generator().manual_seed(0)
    return measurement(Linear(matrix), Vectors(dim=LATENTS), generator, batch_size=512, share=share)


def measured(base: str, share: Share = ALL_UNITS, *, num_groups: int = 0, with_std: bool = False) -> ResponseMatrix:
    m = prepared(share)
    empty = ResponseMatrix(range(LATENTS), m.units, base=base, num_groups=num_groups, with_std=with_std)
    return add_draws(m, empty, num_samples=DRAWS)


def of_shards(base: str, **kept: int) -> list[dict[Key, Values]]:
    shares = [Shard(number, SHARDS) for number in range(1, SHARDS + 1)]
    for shard in shares:
        with pytest.raises(ShardDone):
            measured(base, shard, **kept)
    return [shard.values_by_key for shard in shares]


@pytest.mark.parametrize(("base", "kept"), [("prior", {"num_groups": 8}), ("posterior", {"with_std": True})])
def test_shards_by_rows_give_the_same_bits(base: str, kept: dict[str, int]) -> None:
    stored = {key: values for part in of_shards(base, **kept) for key, values in part.items()}
    joined, whole = measured(base, StoredUnits(stored.__getitem__), **kept), measured(base, **kept)
    for name in ("products_RDTT", "lagged_RDTT", "own_R33", "moments_4D", "rounding_D", "squares_GRD", "counts_GR"):
        assert torch.equal(getattr(joined, name), getattr(whole, name)), name
    for scale in ("half", "std") if "with_std" in kept else ("half",):
        assert all(map(torch.equal, joined.on_scale(scale), whole.on_scale(scale)))


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_shards_hold_sums_of_their_rows_alone(base: str) -> None:
    rows = len(bands(LATENTS)[0])
    for number, values_by_key in enumerate(of_shards(base), 1):
        held = sum(tensor.nbytes for values in values_by_key.values() for tensor in values)
        share = LATENTS / SHARDS + rows  # the last unit may end beyond it
        sums = 8 * 4 * LATENTS * (2 if base == "posterior" else 1)  # 1 and d^2, squared, and of partners
        assert held <= 1.1 * share * sums
        assert held <= sum(matrix_cost(prepared(Shard(number, SHARDS)), num_samples=DRAWS, base=base).memory.values())


def test_mixed_shards_hold_draws_in_bf16_of_their_rows_alone() -> None:
    settings = {"base": "prior", "num_samples": DRAWS, "net": 1, "num_groups": 0, "with_std": False}
    stored, rows = {}, len(bands(LATENTS)[0])
    for number in range(1, SHARDS + 1):
        shard = Shard(number, SHARDS)
        with pytest.raises(ShardDone):
            measure_mixed(prepared(shard), **settings)
        held = [len(values[0]) for key, values in shard.values_by_key.items() if key[0] == 0]
        assert sum(held) <= LATENTS / SHARDS + 2 * rows  # draws in both precisions shift the ends
        stored |= shard.values_by_key
    joined = measure_mixed(prepared(StoredUnits(stored.__getitem__)), **settings)
    whole = measure_mixed(prepared(), **settings)
    for name in ("products_RDTT", "own_R33", "moments_4D", "both_RDTT", "both_5D"):
        assert torch.equal(getattr(joined, name), getattr(whole, name)), name


def test_scale_std_is_summed_where_asked() -> None:
    assert measured("prior").products_RDTT.shape[-1] == 2
    assert measured("prior", with_std=True).products_RDTT.shape[-1] == 4
