"""Catalog of the assays: found by their folders, described without torch, loaded when one is run or drawn."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import lrx.assays
from lrx.assays.description import Description

if TYPE_CHECKING:  # both take a second or more to import
    from matplotlib.figure import Figure

    from lrx.core.settings import Checked
    from lrx.core.types import AssayResult
    from lrx.responses.cost import Cost
    from lrx.responses.matrix import ResponseMatrix
    from lrx.responses.measurement import Measurement
    from lrx.storage.results import Provenance

    Measure = Callable[[Measurement, Checked], AssayResult | Mapping[str, AssayResult]]
    Count = Callable[[Measurement, Checked], Cost]
    Estimate = Callable[..., ResponseMatrix]
    Figures = Callable[[AssayResult, Provenance], Mapping[str, Figure]]
    Exports = Callable[[AssayResult, Provenance], Mapping[str, bytes]]


@functools.cache
def descriptions() -> dict[str, Description]:
    """Return the descriptions of all assays by name, in the order of reports."""
    paths = [path for root in lrx.assays.__path__ for path in Path(root).glob("*/description.py")]
    entries = {path.parent.name: _description(path.parent.name) for path in paths}
    return dict(sorted(entries.items(), key=lambda entry: (entry[1].position, entry[0])))


def describe(name: str) -> Description | None:
    """Return the description of an assay; None for a name that no folder of lrx/assays has."""
    return descriptions().get(name)


def settings_of(name: str) -> type[Checked]:
    """Return the settings class of an assay. ModuleNotFoundError for an unknown name."""
    return cast("type[Checked]", _module(name, "assay").Settings)


def measure_of(settings: Checked) -> Measure:
    """Return the function `measure(measurement, settings)` that stands beside a settings class, in its module."""
    return cast("Measure", importlib.import_module(type(settings).__module__).measure)


def estimate_of(settings: Checked) -> Estimate | None:
    """Return the function `estimate(measurement, settings, num_groups=...)` of an assay whose result is one response
    matrix, which other assays then take; None for all others."""
    return cast("Estimate | None", getattr(importlib.import_module(type(settings).__module__), "estimate", None))


def cost_of(settings: Checked) -> Count | None:
    """Return the function `cost(measurement, settings)` of the file cost.py beside the module of a settings class; None
    where there is no such file, as beside assays outside lrx."""
    name = f"{type(settings).__module__.rpartition('.')[0]}.cost"
    is_there = not name.startswith(".") and importlib.util.find_spec(name) is not None
    return cast("Count", importlib.import_module(name).cost) if is_there else None


def estimate_cost_of(settings: Checked) -> Callable[..., Cost]:
    """Return the function `estimate_cost(measurement, settings, num_groups=...)` of an assay that has an `estimate`."""
    module = importlib.import_module(f"{type(settings).__module__.rpartition('.')[0]}.cost")
    return cast("Callable[..., Cost]", module.estimate_cost)


def figures_of(name: str) -> Figures | None:
    """Return the function that draws an assay's result; None where it has no picture."""
    if name not in descriptions() or not _has(name, "plot"):
        return None
    return cast("Figures", _module(name, "plot").figures)


def exports_of(name: str) -> Exports | None:
    """Return the function that gives the contents of an assay's other files by name; None where it has none."""
    if figures_of(name) is None:
        return None
    return cast("Exports | None", getattr(_module(name, "plot"), "exports", None))


def function_of(name: str, part: str, function: str) -> object | None:
    """Return a function of one of an assay's files, such as its `summary`; None where it has no such file."""
    if name not in descriptions() or not _has(name, part):
        return None
    return cast(object, getattr(_module(name, part), function))


def _description(name: str) -> Description:
    return cast(Description, importlib.import_module(f"lrx.assays.{name}.description").DESCRIPTION)


def _module(name: str, part: str) -> ModuleType:
    return importlib.import_module(f"lrx.assays.{name}.{part}")


def _has(name: str, part: str) -> bool:
    return importlib.util.find_spec(f"lrx.assays.{name}.{part}") is not None
