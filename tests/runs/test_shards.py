"""One large assay in shards: the same numbers as in one process."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays import catalog
from lrx.assays.run import run_assay
from lrx.core.factors import FactorSpace
from lrx.core.types import AssayResult
from lrx.responses.work_units import ALL_UNITS, Key, Shard, ShardDone, StoredUnits, Values, WorkUnit, of_plan

D = 5


class Grid:
    """Grid of two factors, 7 by 30, as vectors in float32, whose rounding shows whether sums are the same."""

    name, source, fingerprint, observation_shape = "grid", "sines", "0", (D,)
    factors = FactorSpace(("a", "b"), (7, 30))

    def __len__(self) -> int:
        return self.factors.num_points

    def raw(self, indices: Tensor) -> Tensor:
        return torch.sin(self.factors.classes(indices).float() @ torch.tensor([[0.3] * D, [0.1, 0.2, 0.3, 0.4, 0.5]]))

    images = raw


class Curved(nn.Module):
    """Nonlinear autoencoder with a posterior; counts what it decodes."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(D, D, generator=torch.Generator().manual_seed(0)))
        self.decoded = 0

    def encode(self, x: Tensor) -> Tensor:
        return x + 0.3 * x.square()

    def decode(self, z: Tensor) -> Tensor:
        self.decoded += len(z)
        return torch.tanh(z @ self.matrix.T)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode(x), torch.full_like(x, 0.2)


MATRIX = {"num_samples": 512, "normalization": "std", "draws": "quasi", "precision": "float32", "target_se": None}
MATRIX |= {"max_samples": 4096, "batch_size": 100}
GRAPH = {"num_samples": 1100, "informative": 0.5, "bidirectional": 0.1, "unidirectional": 0.5, "significant": 2}
GRAPH |= {"num_replicates": 20, "batch_size": None}
MAP = {"base": "image", "index": None, "extent": 2.0, "resolution": 7, "num_posterior": 9, "decoded": 2}
MAP |= {"num_samples": 64, "max_pairs": 3, "batch_size": 10}
CONDITIONED = {"num_groups": 30, "reduction": "mean_of_rms", "threshold": 0.1, "num_bootstrap": 30, "batch_size": 64}

TARGET = {**MATRIX, "num_samples": 256, "target_se": 0.01}
ASSAYS: dict[str, tuple[str, dict[str, object]]] = {
    **{f"target {base}": ("response_matrix", {"base": base, **TARGET}) for base in ("prior", "posterior")},
    **{f"matrix {base}": ("response_matrix", {"base": base, **MATRIX}) for base in ("prior", "posterior_sample")},
    **{f"graph {base}": ("latent_graph", {"base": base, **GRAPH}) for base in ("prior", "posterior")},
    "map grid": ("response_map", {"latents": "all", "derivative": "grid", **MAP}),
    "map exact": ("response_map", {"latents": [1, 3], "derivative": "exact", **MAP}),
    "conditioned, all pairs": ("conditioned_response", {"max_pairs": 1000, **CONDITIONED}),
    "conditioned, target": ("conditioned_response", {"max_pairs": 9, "target_se": 0.02, **CONDITIONED}),
    "conditioned, drawn pairs": ("conditioned_response", {"max_pairs": 9, **CONDITIONED}),
}


def run(name: str, share: object = ALL_UNITS, model: nn.Module | None = None) -> AssayResult:
    assay_name, keywords = ASSAYS[name]
    settings = catalog.settings_of(assay_name)(**keywords)
    return run_assay(settings, model or Curved(), Grid(), torch.Generator().manual_seed(3), share=share)


def values_of_shards(name: str, count: int) -> list[dict[Key, Values]]:
    """Return the values that each shard of an assay evaluates."""
    parts = []
    for number in range(1, count + 1):
        shard = Shard(number, count)
        with pytest.raises(ShardDone):
            run(name, shard)
        parts.append(shard.values_by_key)
    return parts


def assert_equal(one: AssayResult, other: AssayResult) -> None:
    """Assert that two results are the same to the last bit."""
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        assert np.array_equal(array.values, other.arrays[name].values, equal_nan=array.values.dtype.kind == "f"), name
        assert array.axes == other.arrays[name].axes
    assert one.scores.keys() == other.scores.keys()
    assert np.array_equal(list(one.scores.values()), list(other.scores.values()), equal_nan=True)
    assert one.settings == other.settings


@pytest.mark.parametrize("name", ASSAYS)
def test_joined_shards_equal_undivided_assay(name: str) -> None:
    undivided = run(name)
    for count in (3, 40):  # 40: more than there are units
        parts = values_of_shards(name, count)
        assert sum(map(bool, parts)) >= (1 if "target" in name else 3)
        joined: dict[Key, Values] = {}
        for part in parts:
            assert not joined.keys() & part.keys()  # no unit twice
            joined |= part
        assert_equal(run(name, StoredUnits(joined.__getitem__)), undivided)


def test_pilots_that_differ_are_not_joined() -> None:
    """Where another machine's pilot asks for other draws, no unit is taken for one of other rows."""
    one, other = (of_plan(draws, [WorkUnit((32, 0, 0), 1, tuple)]) for draws in ([1152, 1024], [1024, 1152]))
    assert next(one).key != next(other).key
    shard, found = Shard(1, 1), "target prior"
    with pytest.raises(ShardDone):
        run(found, shard)
    other_scale = Curved()
    with torch.no_grad():
        other_scale.matrix *= 0.1
    with pytest.raises(KeyError):
        run(found, StoredUnits(shard.values_by_key.__getitem__), other_scale)


def test_joining_decodes_nothing() -> None:
    shard, model = Shard(1, 1), Curved()
    with pytest.raises(ShardDone):
        run("matrix prior", shard, model)
    assert model.decoded == 512 * (D + 1)
    joining = Curved()
    assert_equal(run("matrix prior", StoredUnits(shard.values_by_key.__getitem__), joining), run("matrix prior"))
    assert joining.decoded == 0


def test_shares_are_even() -> None:
    units = [WorkUnit((number,), 10, tuple) for number in range(100)]
    calls: list[int] = []
    sizes = []
    for number in range(1, 8):
        shard = Shard(number, 7)
        with pytest.raises(ShardDone):
            shard.values(units, total=1000, progress=calls.append)
        sizes.append(len(shard.values_by_key))
        assert calls[-1] == pytest.approx(1000, abs=70)  # of the whole, as if all shards were as far
    assert sum(sizes) == 100
    assert set(sizes) == {14, 15}
