"""Run one assay: settings, a model and a data set in, a result out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch

from lrx.assays import catalog
from lrx.assays.limits import check_limits
from lrx.assays.requirements import check_codes
from lrx.core.foreign_code import is_out_of_memory
from lrx.core.settings import Checked
from lrx.core.types import AssayResult, Autoencoder, Dataset
from lrx.core.validation import SettingError
from lrx.responses.cost import Cost
from lrx.responses.measurement import ResultStore, measurement
from lrx.responses.work_units import ALL_UNITS, Share


@runtime_checkable
class Telling(Protocol):
    """Progress that a person sees, who is told beforehand what a long measurement costs."""

    def tell(self, text: str) -> None:
        """Show a line."""


def run_assay(
    settings: Checked,
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    progress: Callable[[int, int], None] | None = None,
    share: Share = ALL_UNITS,
    store: ResultStore | None = None,
    remarks: Sequence[str] = (),
) -> AssayResult | Mapping[str, AssayResult]:
    """Measure with the assay that these settings belong to; `paper` gives results by name.

    generator: source of all draws. progress: called with what is done and the total; see `Telling`. share: see
    `lrx.responses.work_units`; a shard ends in ShardDone. store: of finished results, for `paper`. remarks: on the
    model, which each result carries before its own.
    SettingError for a setting that model or data cannot serve, or above `max_seconds`; MemoryError where memory does
    not suffice, which says for what; ValueError for data or responses that are not usable.
    """
    m = measurement(
        autoencoder,
        dataset,
        generator,
        batch_size=getattr(settings, "batch_size", None),
        progress=progress,
        share=share,
    )
    check_codes(settings, m)
    if store is not None:
        m = dataclasses.replace(m, store=store)
    count, tell = catalog.cost_of(settings), progress.tell if isinstance(progress, Telling) else None
    max_seconds = getattr(settings, "max_seconds", None)
    if count is None and max_seconds is not None:
        raise SettingError("max_seconds has no effect: this assay has no file cost.py, which would count its passes")
    cost = Cost() if count is None else count(m, settings)
    needs = check_limits(m, cost, max_seconds=max_seconds, tell=tell)
    try:
        measured = catalog.measure_of(settings)(m, settings)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryError(needs.hint()) from error
    if isinstance(measured, AssayResult):
        return _with_remarks(measured, remarks)
    return {name: _with_remarks(result, remarks) for name, result in measured.items()}


def _with_remarks(result: AssayResult, remarks: Sequence[str]) -> AssayResult:
    """Return a result with these remarks before its own, unless it has them from an earlier run."""
    own = str(result.settings.get("remark") or "")
    text = "; ".join(filter(None, [*(remark for remark in remarks if remark not in own), own]))
    return dataclasses.replace(result, settings={**result.settings, "remark": text}) if remarks else result
