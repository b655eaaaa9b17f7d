"""Assays of a test: measured with settings of its own, alone or in shards that are joined."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from lrx.assays.run import run_assay
from lrx.core.settings import Checked
from lrx.core.types import AssayResult, Dataset
from lrx.responses.work_units import ALL_UNITS, Shard, ShardDone, Share, StoredUnits
from tests.support.maps_for_tests import Noise
from tests.support.models_for_tests import values

Measure = Callable[..., AssayResult]


def measure_with(settings: Checked) -> Measure:
    """Return a function that measures a model on data with these settings, of which it takes changes."""

    def measure(model: nn.Module, data: Dataset, seed: int = 0, share: object = None, **changes: object) -> AssayResult:
        changed = dataclasses.replace(settings, **changes)  # type: ignore[arg-type]
        shares = {} if share is None else {"share": share}
        result = run_assay(changed, model, data, torch.Generator().manual_seed(seed), **shares)  # type: ignore[arg-type]
        assert isinstance(result, AssayResult)
        return result

    return measure


def assert_batches_and_shards_change_nothing(measure: Measure, model: nn.Module, data: Dataset) -> None:
    """Assert that another batch size changes no array beyond rounding, and two joined shards none at all."""
    alone, other = measure(model, data), measure(model, data, batch_size=7)
    for name in alone.arrays:
        np.testing.assert_allclose(values(alone, name), values(other, name), rtol=1e-9, atol=1e-12)
    stored = {}
    for number in (1, 2):
        shard = Shard(number, 2)
        with pytest.raises(ShardDone):
            measure(model, data, share=shard)
        stored |= shard.values_by_key
    joined = measure(model, data, share=StoredUnits(stored.__getitem__))
    for name in alone.arrays:
        np.testing.assert_array_equal(values(alone, name), values(joined, name))
    assert alone.scores == joined.scores


def map_assay(settings: type[Checked]) -> Measure:
    """Return a function that measures a model of maps, on noise unless other data are given, in float64."""

    def assay(
        model: nn.Module, data: Noise | None = None, seed: int = 0, share: Share = ALL_UNITS, **given: object
    ) -> AssayResult:
        model.register_buffer("float64", torch.zeros(1, dtype=torch.float64))  # whose dtype is that of the model
        generator = torch.Generator().manual_seed(seed)
        result = run_assay(settings(**given), model, data or Noise(side=12), generator, share=share)
        assert isinstance(result, AssayResult)
        return result

    return assay
