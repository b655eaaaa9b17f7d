"""Table of runs as one HDF5 file with the dimension `run`, for xarray and other netCDF-4 tools.

The root has each run's name, state, error, remarks, settings and provenance; `in_common` has the settings that are the
same for all, as JSON. A group for each assay, for `train` (the last logged losses) and for `udr` has each score over
`run`, its standard error beside it, and as coordinates the settings that differ and the remark of the assay, so that
xarray.open_dataset(file, engine="h5netcdf", group="metrics").mig.groupby("model_beta").mean() works.
Names have letters, digits and underscores: `model_beta` is model.beta, which is its long_name.
Arrays of at most lrx.storage.result_scan.SMALL bytes whose shape and labels are the same in all runs that have the
assay are stacked over `run`; others stay in the runs' own files. Missing values are NaN, or an empty text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

import lrx
from lrx.runs.hdf5_variables import Variables, free_name
from lrx.runs.seed_groups import SeedGroup
from lrx.runs.seeds_table import write_seeds
from lrx.runs.table import MOST_COLUMNS, Row, Setting, Table, text
from lrx.storage import results
from lrx.storage.result_scan import SMALL, ArrayInfo, ScannedAssay, array_infos, is_valid_name

FORMAT = "lrx-collected-1"
COMMON, SEEDS = "in_common", "over_seeds"
MOST_BYTES = 2**30  # of the arrays of one group; what does not fit stays in the runs' own files
Stack = tuple[np.ndarray, ArrayInfo, dict[str, np.ndarray]]  # values over runs, and the labels of their axes


def write_hdf5(path: Path, table: Table, groups: Sequence[SeedGroup]) -> None:
    """Write the table, the stacked arrays of its runs, and the groups of seeds, in place of an older file."""
    with results.new_file(path) as file:
        file.attrs["format"], file.attrs["lrx"] = FORMAT, lrx.__version__
        names: dict[str, str] = {}
        for group in table.scores:
            names[group] = free_name(group, {*names.values(), COMMON, SEEDS})
        root = Variables(file, "run", [row.run for row in table.rows], taken={*names.values(), COMMON, SEEDS})
        for key in ("state", "error", "remark", "command"):
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
            _write_group(file.create_group(name, track_order=True), group, table)
        if groups:
            write_seeds(file, SEEDS, groups)


def is_collected(path: Path) -> bool:
    """Return whether a file is such a table."""
    try:
        with h5py.File(path) as file:
            return bool(file.attrs.get("format") == FORMAT)
    except OSError:
        return False


def _write_group(stored: h5py.Group, group: str, table: Table) -> None:
    stacks = _stacked(group, table.rows)
    taken = {axis for stack in stacks.values() for axis in stack[1].axes}
    over = Variables(stored, "run", [row.run for row in table.rows], taken=taken)
    names = {}
    for name in table.scores[group]:
        values = [math.nan if value == "" else value for value in table.score(group, name)]
        names[name] = over.put(name, np.array(values, dtype=np.float64), f"{name} of {group}")
    for name in names:
        if f"{name}_se" in names:
            stored[names[name]].attrs["ancillary_variables"] = names[f"{name}_se"]
    variables = [*names.values(), *(_put(over, name, stack) for name, stack in stacks.items())]
    coordinates = [over.put(key, _column(table.setting(key)), key) for key in table.varying]
    if any(group in row.assays for row in table.rows):
        remarks = [row.assays[group].remark if group in row.assays else "" for row in table.rows]
        coordinates.append(over.put("remark", np.array(remarks), f"remark of {group}: what its scores do not say"))
    for variable in variables if coordinates else []:
        stored[variable].attrs["coordinates"] = " ".join(coordinates)


def _put(over: Variables, name: str, stack: Stack) -> str:
    values, info, labels = stack
    return over.put_array(name, values, info.text, unit=info.unit, axes=[(axis, labels[axis]) for axis in info.axes])


def _stacked(group: str, rows: Sequence[Row]) -> dict[str, Stack]:
    """Stack the arrays that all runs with this assay share, over all runs; NaN where a run does not have it."""
    parts = [row.assays.get(group) for row in rows]
    scanned = [part for part in parts if part is not None]
    if not scanned:
        return {}
    first = scanned[0].members
    numbers = [name for name, values in first.items() if _is_shared(values.dtype) and values.nbytes <= SMALL]
    try:
        infos = array_infos(scanned[0].path, group, [name for name in numbers if _is_in_all(name, scanned)])
    except ValueError:  # a file whose scores alone can be read
        return {}
    along = {axis for info in infos.values() for axis in info.axes}
    shared = {axis: first[axis] for axis in along if _is_axis(axis, scanned)}
    stacks: dict[str, Stack] = {}
    room = MOST_BYTES
    for name, info in sorted(infos.items())[:MOST_COLUMNS]:
        shape = first[name].shape
        room -= len(parts) * first[name].nbytes
        labels = {axis: shared[axis] for axis in info.axes if axis in shared}
        if room > 0 and labels.keys() >= {*info.axes} and shape == tuple(len(labels[axis]) for axis in info.axes):
            missing = np.full(shape, math.nan, np.float32)
            values = np.stack([missing if part is None else part.members[name] for part in parts])
            stacks[name] = values, info, labels
    return stacks


def _is_in_all(name: str, parts: Sequence[ScannedAssay]) -> bool:
    """Return whether all have an array of this name, of one shape and type."""
    first, others = parts[0].members[name], [part.members.get(name) for part in parts]
    return all(other is not None and other.shape == first.shape and other.dtype == first.dtype for other in others)


def _is_axis(name: str, parts: Sequence[ScannedAssay]) -> bool:
    """Return whether all have the same labels of an axis, under a name that netCDF tools take."""
    first = parts[0].members.get(name)
    if first is None or first.ndim != 1 or not (first.dtype.kind == "U" or _is_shared(first.dtype)):
        return False
    if not is_valid_name(name) or free_name(name, {"run"}) != name:
        return False
    others = [part.members.get(name) for part in parts]
    return all(o is not None and o.dtype.kind == first.dtype.kind and np.array_equal(o, first) for o in others)


def _is_shared(dtype: np.dtype) -> bool:
    """Return whether HDF5 tools share numbers of this type."""
    return dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize in (4, 8))


def _as_json(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Make settings fit for JSON: numbers that are not finite become text."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in settings.items()
    }


def _column(values: Sequence[Setting]) -> np.ndarray:
    """Return numbers, NaN where one is missing, if all others are numbers; else texts."""
    present = [value for value in values if value != ""]
    if not present or any(value is None or isinstance(value, str | bool) for value in present):
        return np.array([text(value) for value in values], dtype=np.str_)
    integers = len(present) == len(values) and all(isinstance(v, int) and -(2**63) <= v < 2**63 for v in present)
    numbers = [math.nan if value == "" else value for value in values]
    return np.array(numbers, dtype=np.int64 if integers else np.float64)
