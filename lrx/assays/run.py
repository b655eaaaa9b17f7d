"""Run one assay: settings, a model and a data set in, a result out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import torch

from lrx.assays import catalog
from lrx.core.settings import Checked
from lrx.core.types import AssayResult, Autoencoder, Dataset
from lrx.responses.measurement import ResultStore, measurement
from lrx.responses.work_units import ALL_UNITS, Share


def run_assay(
    settings: Checked,
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    progress: Callable[[int, int], None] | None = None,
    share: Share = ALL_UNITS,
    store: ResultStore | None = None,
) -> AssayResult | Mapping[str, AssayResult]:
    """Measure with the assay that these settings belong to; `paper` gives results by name.

    generator: source of all draws. progress: called with what is done and the total. share: see
    `lrx.responses.work_units`; a shard ends in ShardDone. store: of finished results, for `paper`.
    SettingError for a setting that model or data cannot serve; ValueError for data or responses that are not usable.
    """
    m = measurement(
        autoencoder,
        dataset,
        generator,
        batch_size=getattr(settings, "batch_size", None),
        progress=progress,
        share=share,
    )
    if store is not None:
        m = dataclasses.replace(m, store=store)
    return catalog.measure_of(settings)(m, settings)
