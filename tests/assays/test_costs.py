"""Cost of every assay: what is told equals the observations that pass through a model that counts them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrx.assays import catalog
from lrx.assays.paper.assay import OVERRIDES
from lrx.assays.paper.assay import Settings as Paper
from lrx.core.settings import Checked
from lrx.core.types import AssayResult
from lrx.responses.cost import FORWARD_MODE, Cost
from lrx.responses.measurement import Measurement, measurement
from lrx.responses.work_units import Shard, ShardDone, StoredUnits
from scripts.toy_assays import SMALL, small, toy
from tests.support.models_for_tests import one_thread as one_thread

LATENTS = 3


class Counter:
    """Observations that passed, by the part of the model; its copies are itself."""

    def __init__(self) -> None:
        self.seen = dict.fromkeys(("encode", "decode", "posterior", "product"), 0)

    def __deepcopy__(self, memo: object) -> Counter:
        return self


class Watched(torch.autograd.Function):
    """Identity that counts products in reverse and in forward mode."""

    @staticmethod
    def forward(z: Tensor, counter: Counter) -> Tensor:
        return z.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Counter], output: Tensor) -> None:
        ctx.counter = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ctx.counter.seen["product"] += len(gradient)
        return gradient, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        ctx.counter.seen["product"] += FORWARD_MODE * len(tangent)
        return tangent.clone()


class Counting(nn.Module):
    """Linear codes of images, which the decoder inverts: every latent is informative, h jumps nowhere."""

    def __init__(self) -> None:
        super().__init__()
        matrix = torch.linalg.qr(torch.randn(64, LATENTS, generator=torch.Generator().manual_seed(0)))[0]
        self.matrix, self.counter = nn.Parameter(matrix), Counter()

    def encode(self, x: Tensor) -> Tensor:
        self.counter.seen["encode"] += len(x)
        return self._code(x)

    def _code(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.matrix

    def decode(self, z: Tensor) -> Tensor:
        self.counter.seen["decode"] += len(z)
        return (Watched.apply(z, self.counter) @ self.matrix.T).view(-1, 1, 8, 8)


class CountingPosterior(Counting):
    """The same with a posterior."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.counter.seen["posterior"] += len(x)
        mean = self._code(x)
        return mean, torch.full_like(mean, 0.3)


class Rounding(Counting):
    """Codes of whole numbers: no derivative, so that each latent is moved to find out."""

    def _code(self, x: Tensor) -> Tensor:
        return super()._code(x).round() + 0 * super()._code(x)


def settings(name: str, **values: object) -> Checked:
    return dataclasses.replace(small(name), **values)


def prepared(model: Counting, **values: Any) -> Measurement:
    """A measurement whose model has counted nothing yet."""
    m = dataclasses.replace(measurement(model, toy(), torch.Generator().manual_seed(0), batch_size=16), **values)
    model.counter.seen = dict.fromkeys(model.counter.seen, 0)
    return m


def passed(model: Counting, m: Measurement, own: Checked) -> dict[str, int]:
    """Measure, and return what passed, as a cost says it."""
    try:
        catalog.measure_of(own)(m, own)
    except ShardDone:
        pass
    return model.counter.seen


def told(cost: Cost) -> dict[str, int]:
    return {
        "encode": cost.responses + cost.encoded,
        "decode": cost.decodings,
        "posterior": cost.posteriors,
        "product": cost.products,
    }


EXACT = {
    "response_matrix": [{}, {"num_samples": 300, "draws": "quasi"}, {"base": "posterior", "num_samples": 150}],
    "latent_graph": [{}, {"num_samples": 48}],
    "conditioned_response": [{}, {"num_groups": 3, "max_pairs": 12}],
    "response_map": [{}, {"derivative": "exact"}, {"latents": [2, 0], "base": "prior"}, {"latents": "all"}],
    "traversal": [{}, {"latents": [1], "images": [4, 5]}, {"latents": "all", "num_samples": 40}],
    "generation": [{}, {"refinements": 0, "num_samples": 20}],
    "factor_inference": [{}, {"repeats": 3, "labels": [10, 30]}],
    "reconstruction": [{}, {"num_images": 500}],
    "metrics": [{"only": ["mig"]}],
    "codes": [{}, {"num_images": 64}],
}
CASES = [(name, values) for name, every in EXACT.items() for values in every]


@pytest.mark.parametrize("model", [Counting, CountingPosterior])
@pytest.mark.parametrize(("name", "values"), CASES)
def test_told_passes_pass(name: str, values: dict[str, object], model: type[Counting]) -> None:
    own, subject = settings(name, **values), model()
    m = prepared(subject)
    cost = catalog.cost_of(own)(m, own)
    assert passed(subject, m, own) == told(cost)


def test_every_assay_is_counted() -> None:
    assert {*EXACT, "manifold", "interpolation"} == {*catalog.descriptions()}
