"""Cost of every assay: what is told equals the observations that pass through a model that counts them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lrx.assays import catalog
from lrx.assays.paper.assay import OVERRIDES
from lrx.assays.paper.assay import Settings as Paper
from lrx.core.settings import Checked
from lrx.core.types import AssayResult
from lrx.responses.cost import Cost
from lrx.responses.measurement import Measurement, measurement
from lrx.responses.work_units import ALL_UNITS, Shard, ShardDone, StoredUnits
from scripts.toy_assays import SMALL, small, sparse_toy, toy
from tests.support.counting_models import (
    LATENTS,
    Counting,
    CountingPosterior,
    Maps,
    MapsPosterior,
    Quantizing,
    Rounding,
)
from tests.support.models_for_tests import one_thread as one_thread


def settings(name: str, **values: object) -> Checked:
    return dataclasses.replace(small(name), **values)


def prepared(model: Counting, **values: Any) -> Measurement:
    """A measurement whose model has counted nothing yet."""
    m = dataclasses.replace(measurement(model, toy(), torch.Generator().manual_seed(0), batch_size=16), **values)
    model.counter.seen = dict.fromkeys(model.counter.seen, 0)
    return m


def counted(m: Measurement, own: Checked) -> Cost:
    count = catalog.cost_of(own)
    assert count is not None
    return count(m, own)


def passed(model: Counting, m: Measurement, own: Checked) -> dict[str, int]:
    """Measure, and return what passed, as a cost says it."""
    with contextlib.suppress(ShardDone):
        catalog.measure_of(own)(m, own)
    return model.counter.seen


def told(cost: Cost) -> dict[str, int]:
    return {
        "encode": cost.responses + cost.encoded,
        "decode": cost.decodings,
        "posterior": cost.posteriors,
        "product": cost.products,
    }


MATRIX = [{"units": [[0, 1]]}, {"signed": True, "base": "posterior"}, {"controls": 5}]
EXACT: dict[str, list[dict[str, Any]]] = {
    "response_matrix": [{}, {"num_samples": 300, "draws": "quasi"}, {"base": "posterior", "num_samples": 150}, *MATRIX],
    "latent_graph": [{}, {"num_samples": 48, "units": [[2, 0]]}],
    "conditioned_response": [{}, {"num_groups": 3, "max_pairs": 12}, {"units": [[0, 1]]}],
    "interchange": [{"num_pairs": 6}, {"latents": {"row": [1]}}],
    "response_map": [{}, {"derivative": "exact"}, {"latents": [2, 0], "base": "prior"}, {"latents": "all"}],
    "traversal": [
        {},
        {"latents": [1], "images": [4, 5]},
        {"latents": "all", "num_samples": 40},
        {"latents": 2, "values": [-2, 0.5, 2], "steps": 11},
        {"values": 1.0, "steps": 11},
    ],
    "generation": [{}, {"refinements": 0, "num_samples": 20}],
    "factor_inference": [{}, {"repeats": 3, "labels": [10, 30]}],
    "reconstruction": [{}, {"num_images": 500}],
    "metrics": [{"only": ["mig"]}],
    "codes": [{}, {"num_images": 64}],
    "round_trips": [{}, {"num_images": 40, "trips": 5}],
    "contraction": [{}, {"levels": [0.5], "draws": 3}],
}
MAPS_ALONE = ("spatial_response", "footprint")
CASES = [(name, values) for name, every in EXACT.items() for values in every]


@pytest.mark.parametrize("model", [Counting, CountingPosterior])
@pytest.mark.parametrize(("name", "values"), CASES)
def test_told_passes_pass(name: str, values: dict[str, object], model: type[Counting]) -> None:
    own, subject = settings(name, **values), model()
    m = prepared(subject)
    cost = counted(m, own)
    assert passed(subject, m, own) == told(cost)


@pytest.mark.parametrize("values", [{}, {"num_samples": 70}, {"base": "posterior_sample"}, {"base": "prior"}])
@pytest.mark.parametrize("name", MAPS_ALONE)
def test_assays_of_maps_alone_are_counted(name: str, values: dict[str, object]) -> None:
    own, subject = settings(name, **values), MapsPosterior()
    m = prepared(subject)
    all_ = counted(m, own)
    assert passed(subject, m, own) == told(all_)
    for number in (1, 2):
        shard = prepared(subject, share=Shard(number, 2))
        cost = counted(shard, own)
        seen = passed(subject, shard, own)
        assert all(seen[part] <= count for part, count in told(cost).items())
        assert cost.at_most


def test_every_assay_is_counted() -> None:
    others = {"manifold", "interpolation", "equivariance", "sparse_response"}  # each below
    assert {*EXACT, *MAPS_ALONE, *others} == {*catalog.descriptions()}


def test_vectors_of_a_sparse_code_pass_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = sparse_toy()
    m = measurement(model, data, torch.Generator().manual_seed(0), batch_size=16)
    seen = {"encode": 0, "decode": 0}
    encode, decode = model.encode, model.decode

    def counts(name: str, inner: Callable[[torch.Tensor], torch.Tensor], given: torch.Tensor) -> torch.Tensor:
        seen[name] += len(given)
        return inner(given)

    monkeypatch.setattr(model, "encode", functools.partial(counts, "encode", encode))
    monkeypatch.setattr(model, "decode", functools.partial(counts, "decode", decode))
    cost = counted(m, own := settings("sparse_response", num_vectors=40))
    catalog.measure_of(own)(m, own)
    assert seen == {"encode": cost.encodings, "decode": cost.decodings} == {"encode": 40, "decode": 40}


MIXED = [{"precision": "mixed", "base": base} for base in ("prior", "posterior", "posterior_sample")]


@pytest.mark.parametrize("values", [{"base": "posterior_sample", "num_samples": 150}, {"precision": "bf16"}, *MIXED])
def test_draws_from_posteriors_and_rounding(values: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrx.assays.response_matrix.precision.quick_bf16", lambda device: True)
    own, subject = settings("response_matrix", **values), CountingPosterior()
    m = prepared(subject)
    cost = counted(m, own)
    assert passed(subject, m, own) == told(cost)


@pytest.mark.parametrize("values", [{}, {"codes": "mean"}, {"jacobian": "hutchinson", "num_probes": 8}])
def test_manifold_tells_steps_over_plateaus(values: dict[str, object]) -> None:
    own = settings("manifold", **values)
    for model, plateaus in ((Counting, 0), (Rounding, LATENTS)):
        subject = model()
        m = prepared(subject)
        cost = counted(m, own)
        left_out = 2 * (LATENTS - plateaus) * 16  # two steps of each latent that are not taken, at 16 points
        seen = passed(subject, m, own)
        assert {**seen, "encode": seen["encode"] + left_out, "decode": seen["decode"] + left_out} == told(cost)
        assert str(cost).startswith("at most ")


@pytest.mark.parametrize("values", [{}, {"probe_steps": None, "pulls": 0}, {"num_nodes": 0, "num_points": 20}])
def test_interpolation_is_told_within_a_tenth(values: dict[str, object]) -> None:
    own, subject = settings("interpolation", **values), Counting()
    m = prepared(subject)
    cost = counted(m, own)
    seen = passed(subject, m, own)
    assert seen["product"] == cost.products
    assert seen["encode"] - cost.encodings == seen["decode"] - cost.decodings <= 0  # edges that are one
    assert cost.encodings <= seen["encode"] + 0.1 * cost.passes


def test_target_se_is_told_at_most() -> None:
    own = settings("response_matrix", num_samples=64, target_se=1e-9, max_samples=256)
    subject = Counting()
    m = prepared(subject)
    cost = counted(m, own)
    assert cost.at_most
    seen, most = passed(subject, m, own), told(cost)  # never reached: rows draw all they may, and h(z) is a part
    assert all(seen[part] <= most[part] <= 1.6 * seen[part] for part in most)


@pytest.mark.parametrize("shard", [None, Shard(2, 3)])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("conditioned_response", {"target_se": 1e-9, "max_groups": 20}),
        ("conditioned_response", {"target_relative_se": 0.1}),
        ("latent_graph", {"num_samples": 300, "max_samples": 600}),
        ("response_matrix", {"num_samples": 300, "target_relative_se": 0.01, "max_samples": 2000, "draws": "quasi"}),
        ("response_matrix", {"target_se": 1e-9, "max_samples": 400, "base": "posterior"}),
    ],
)
def test_targets_take_no_more_than_told(name: str, values: dict[str, object], shard: Shard | None) -> None:
    own, subject = settings(name, **values), Counting()
    m = prepared(subject, share=shard or ALL_UNITS)
    cost = counted(m, own)
    seen = passed(subject, m, own)
    assert all(seen[part] <= most for part, most in told(cost).items())
    assert cost.at_most


def test_collapsed_latents_cost_less_than_told() -> None:
    own, subject = settings("conditioned_response"), Counting()
    with torch.no_grad():
        subject.matrix[:, 1:] = 0
    m = prepared(subject)
    cost = counted(m, own)
    assert passed(subject, m, own)["decode"] < cost.decodings
    assert cost.at_most


SHARED = [
    ("response_matrix", {"num_samples": 6000}),
    ("response_matrix", {"num_samples": 6000, "base": "posterior"}),
    ("conditioned_response", {"num_groups": 16, "max_pairs": 12}),
    ("response_map", {"resolution": 60, "latents": [0, 1]}),
    ("latent_graph", {"num_samples": 6000}),
]


LONG = {name: {"num_samples": 60_000} for name in ("response_matrix", "latent_graph")}
LONG |= {"conditioned_response": {"num_groups": 16, "max_pairs": 12}, "response_map": {"resolution": 300}}
LONG_MATRIX = dict.fromkeys(LONG, 0) | {"response_map": 32 * 3, "conditioned_response": 2 * 1024}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(("name", "values"), SHARED)
def test_shards_are_told_their_share(name: str, values: dict[str, object], count: int) -> None:
    own = settings(name, **values)
    whole = counted(prepared(Counting()), own)
    for number in range(1, count + 1):
        subject = Counting()
        m = prepared(subject, share=Shard(number, count))
        cost = counted(m, own)
        seen = passed(subject, m, own)
        assert seen["encode"] <= cost.encodings <= whole.encodings
        assert seen["decode"] <= cost.decodings <= whole.decodings
        unit = 1024 + 128
        assert cost.passes <= (seen["encode"] + seen["decode"]) / 2 + 2 * unit  # one begins before, one ends after
    long = settings(name, **values | LONG[name])
    m = prepared(Counting())
    whole = counted(m, long)
    part = counted(dataclasses.replace(m, share=Shard(1, count)), long)
    assert whole.passes / count <= part.passes <= 1.1 * whole.passes / count + LONG_MATRIX[name]


def test_joining_shards_passes_nothing() -> None:
    own = settings("response_matrix", num_samples=64)
    m = prepared(Counting(), share=StoredUnits(lambda key: ()))
    assert counted(m, own).passes == 0


class Kept:
    """Store of results in memory."""

    def __init__(self) -> None:
        self.results: dict[str, AssayResult] = {}

    def get(self, name: str) -> AssayResult | None:
        return self.results.get(name)

    def put(self, name: str, result: AssayResult) -> None:
        self.results[name] = result


def test_paper_tells_the_sum_of_its_parts() -> None:
    parts = {name: entry for name, entry in catalog.descriptions().items() if entry.in_paper and name != "metrics"}
    assays = {name: dataclasses.replace(small(name), **own_of(name)) for name in parts}
    own, subject, store = Paper(assays=assays), CountingPosterior(), Kept()
    m = prepared(subject, store=store)
    cost = counted(m, own)
    seen = passed(subject, m, own)
    for part, count in told(cost).items():
        assert seen[part] <= count <= 1.1 * seen[part], part
    assert counted(m, own).passes == 0  # all are finished
    del store.results["response_matrix"]  # which measures the matrix again
    again = counted(m, own)
    before = dict(seen)
    passed(subject, m, own)
    assert subject.counter.seen["decode"] - before["decode"] == again.decodings


def own_of(name: str) -> dict[str, Any]:
    return {key: value for key, value in OVERRIDES.get(name, {}).items() if key not in SMALL or value is None}


@pytest.mark.parametrize("units", ["channel", "place", "site", "patch:2"])
def test_units_of_maps_are_counted(units: str) -> None:
    subject = Maps()
    own = settings("response_matrix", units=units)
    m = prepared(subject)
    cost = counted(m, own)
    assert passed(subject, m, own) == told(cost)
    assert cost.responses == 32 * (len(m.with_units(units).units) + 1)


def test_walks_over_channels_are_counted() -> None:
    own, subject = settings("traversal", units="channel", latents="all"), Maps()
    m = prepared(subject)
    cost = counted(m, own)
    assert passed(subject, m, own) == told(cost)


@pytest.mark.parametrize("name", ["response_matrix", "traversal", "latent_graph"])
def test_every_value_of_quantised_latents_is_counted(name: str) -> None:
    values = {"latents": "all", "steps": 11} if name == "traversal" else {}  # its default, which has no effect here
    own, subject = settings(name, **values), Quantizing()
    m = prepared(subject)
    assert passed(subject, m, own) == told(counted(m, own))
    if name == "response_matrix":
        own, subject = settings(name, base="posterior"), Quantizing()
        m = prepared(subject)
        cost = counted(m, own)
        seen = passed(subject, m, own)  # values that no image has are not set
        assert seen["encode"] - cost.encodings == seen["decode"] - cost.decodings <= 0
        assert cost.at_most
