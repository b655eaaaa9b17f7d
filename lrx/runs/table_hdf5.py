"""A table of runs as one HDF5 file with the dimension `run`, which xarray and other netCDF-4 tools read.

The root has each run's name, state, error, settings and provenance; and in `in_common`, as JSON, the settings that are
the same for all. A group for each assay, for `train` (the losses logged last) and for `udr` has each score over `run`,
its standard error beside it, and as coordinates the settings that differ, so that
xarray.open_dataset(file, engine="h5netcdf", group="metrics").mig.groupby("model_beta").mean() needs nothing else.
Names are letters, digits and underscores: `model_beta` is model.beta, which is its long_name.
Arrays of at most lrx.runs.result_scan.SMALL bytes whose shape and labels are the same in all runs that have the assay
are stacked over `run`; larger ones and others stay in the runs' own files. What a run does not have is NaN, or no text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

import lrx
from lrx.runs.result_scan import SMALL, Description, Scanned, describe, is_name
from lrx.runs.run_tree import one_line
from lrx.runs.table import MOST, Row, Setting, Table, text
from lrx.storage import results

FORMAT = "lrx-collected-1"
COMMON = "in_common"
MOST_BYTES = 2**30  # of the arrays of one group; what does not fit stays in the runs' own files
Stack = tuple[np.ndarray, Description, dict[str, np.ndarray]]  # values, what they are, and the labels of their axes


def write_hdf5(path: Path, table: Table) -> None:
    """Put the table, and the arrays of its runs that can be stacked, in place of a file."""
    with results.written(path) as file:
        file.attrs["format"], file.attrs["lrx"] = FORMAT, lrx.__version__
        names: dict[str, str] = {}
        for group in table.scores:
            names[group] = _free_name(group, {*names.values(), COMMON})
        root = _OverRuns(file, table.rows, taken={*names.values(), COMMON})
        for key in ("state", "error", "command"):
            root.put(key, np.array([getattr(row, key) for row in table.rows]), key)
        for key in table.settings:
            root.put(key, _column(table.setting(key)), key)
        for key in table.provenance:
            root.put(f"provenance_{key}", _column([row.provenance.get(key, "") for row in table.rows]), key)
        common = file.create_dataset(
            COMMON, data=json.dumps(_as_json(table.in_common), sort_keys=True), dtype=results.TEXT
        )
        common.attrs["long_name"] = "settings that all runs share, as JSON"
        for group, name in names.items():
            _write_group(file.create_group(name), group, table)


def _write_group(stored: h5py.Group, group: str, table: Table) -> None:
    stacks = _stacked(group, table.rows)
    over = _OverRuns(stored, table.rows, taken={axis for stack in stacks.values() for axis in stack[1].axes})
    names = {}
    for name in table.scores[group]:
        values = [math.nan if value == "" else value for value in table.score(group, name)]
        names[name] = over.put(name, np.array(values, dtype=np.float64), f"{name} of {group}")
    for name in names:
        if f"{name}_se" in names:
            stored[names[name]].attrs["ancillary_variables"] = names[f"{name}_se"]
    variables = [*names.values(), *(over.put_stack(name, stack) for name, stack in stacks.items())]
    coordinates = [over.put(key, _column(table.setting(key)), key) for key in table.varying]
    for variable in variables if coordinates else []:
        stored[variable].attrs["coordinates"] = " ".join(coordinates)


class _OverRuns:
    """A group whose variables have the dimension `run`."""

    def __init__(self, group: h5py.Group, rows: Sequence[Row], *, taken: set[str]) -> None:
        """taken: names that no variable may get."""
        self._group, self._taken = group, taken | {"run"}
        results.create(group, "run", np.array([row.run for row in rows])).make_scale("run")

    def put(self, name: str, values: np.ndarray, long_name: str) -> str:
        """Write a variable whose first axis is the runs; the name that it got."""
        given = _free_name(name, self._taken)
        self._taken.add(given)
        stored = results.create(self._group, given, values)
        stored.attrs["long_name"] = long_name
        stored.dims[0].attach_scale(self._group["run"])
        return given

    def put_stack(self, name: str, stack: Stack) -> str:
        """Write arrays of all runs, and the labels of their axes; the name that it got."""
        values, description, labels = stack
        given = self.put(name, values, one_line(description.text))
        self._group[given].attrs["units"] = one_line(description.unit)
        for place, axis in enumerate(description.axes, start=1):
            if axis not in self._group:
                results.create(self._group, axis, labels[axis]).make_scale(axis)
            self._group[given].dims[place].attach_scale(self._group[axis])
        return given


def _stacked(group: str, rows: Sequence[Row]) -> dict[str, Stack]:
    """The arrays that all runs with this assay have alike, over all runs; NaN where a run does not have it."""
    parts = [row.assays.get(group) for row in rows]
    having = [part for part in parts if part is not None]
    if not having:
        return {}
    first = having[0].members
    numbers = [name for name, values in first.items() if _is_shared(values.dtype) and values.nbytes <= SMALL]
    try:
        described = describe(having[0].path, group, [name for name in numbers if _alike(name, having)])
    except ValueError:  # a file that has no more than scores to give
        return {}
    found: dict[str, Stack] = {}
    room = MOST_BYTES
    for name, description in sorted(described.items())[:MOST]:
        shape = first[name].shape
        room -= len(parts) * first[name].nbytes
        if room > 0 and all(_is_axis(axis, size, having) for axis, size in zip(description.axes, shape, strict=True)):
            nothing = np.full(shape, math.nan, np.float32)
            values = np.stack([nothing if part is None else part.members[name] for part in parts])
            found[name] = values, description, {axis: first[axis] for axis in description.axes}
    return found


def _alike(name: str, parts: Sequence[Scanned]) -> bool:
    """Whether all have an array of this name, of one shape and type."""
    first, others = parts[0].members[name], [part.members.get(name) for part in parts]
    return all(other is not None and other.shape == first.shape and other.dtype == first.dtype for other in others)


def _is_axis(name: str, size: int, parts: Sequence[Scanned]) -> bool:
    """Whether all have the same labels of an axis of this size, under a name that can be kept."""
    first = parts[0].members.get(name)
    if first is None or first.shape != (size,) or not (first.dtype.kind == "U" or _is_shared(first.dtype)):
        return False
    if not is_name(name) or _free_name(name, {"run"}) != name:
        return False
    others = [part.members.get(name) for part in parts]
    return all(o is not None and o.dtype.kind == first.dtype.kind and np.array_equal(o, first) for o in others)


def _is_shared(dtype: np.dtype) -> bool:
    """Whether HDF5 tools share numbers of this kind."""
    return dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize in (4, 8))


def _as_json(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Settings such that JSON can say them: what is not finite as text."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in settings.items()
    }


def _free_name(wanted: str, taken: set[str]) -> str:
    """A name that every netCDF tool takes: letters, digits and underscores, and none of those that are taken."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", wanted)
    plain = plain if re.match(r"[A-Za-z]", plain) else f"x{plain}"
    number, name = 1, plain
    while name in taken:
        number += 1
        name = f"{plain}_{number}"
    return name


def _column(values: Sequence[Setting]) -> np.ndarray:
    """Numbers, with NaN where there is none, if all that are there are numbers; else texts."""
    there = [value for value in values if value != ""]
    if not there or any(value is None or isinstance(value, str | bool) for value in there):
        return np.array([text(value) for value in values], dtype=np.str_)
    whole = len(there) == len(values) and all(isinstance(value, int) and -(2**63) <= value < 2**63 for value in there)
    numbers = [math.nan if value == "" else value for value in values]
    return np.array(numbers, dtype=np.int64 if whole else np.float64)
