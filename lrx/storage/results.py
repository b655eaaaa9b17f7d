"""AssayResult to and from HDF5: one file per run, one group per assay, labelled as netCDF-4 tools expect.

xarray.open_dataset(file, engine="h5netcdf", group="response_matrix") gives the arrays with their labels, the scores
as 0-d variables (`opened.num_informative.item()`), and the settings as attributes.
An array is a data set whose axes are dimension scales (a data set of labels named like the axis, in the same group),
with the attributes `units` and `long_name` (`lrx.storage.array_attributes`); a score is a scalar data set; a setting
is an attribute, where `null`, `true` and `false` stand for values that HDF5 tools do not share. Root attributes are the
provenance of the latest write; each group has its own as JSON in the attribute `provenance`. The order of creation is
tracked, without which netCDF-C writes to no file.
"""

from __future__ import annotations

import io
import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

import lrx
from lrx.core.text import join_names
from lrx.storage.array_attributes import array_attributes, plain
from lrx.storage.atomic import write as write_bytes
from lrx.storage.hdf5_members import why_unreadable
from lrx.storage.result_group import PROVENANCE, WORDS, child, read_attributes, read_result

if TYPE_CHECKING:
    from lrx.core.types import AssayResult  # imports torch, which reading scores does not need

Provenance = Mapping[str, str | int | float]

FILENAME, FORMAT = "result.h5", "lrx-results-1"
TEXT = h5py.string_dtype("utf-8")
LARGE = 65536  # bytes from which an array is compressed
IDENTITY = ("checkpoint_sha256", "dataset_fingerprint", "code_sha256")  # what the assays of one file have in common

# What h5py raises for files that are damaged, or made to harm.
UNREADABLE = (OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, MemoryError)


@dataclass(frozen=True)
class Results:
    """Content of a file: assays by name, the provenance of the latest write, and the provenance of each assay.

    foreign: names of what lrx did not write.
    """

    assays: Mapping[str, AssayResult]
    provenance: Provenance
    provenance_of: Mapping[str, Provenance]
    foreign: tuple[str, ...] = ()


def write(path: Path, assays: Mapping[str, AssayResult], provenance: Provenance, *, anew: bool = False) -> None:
    """Write assays as groups of these names, in one step; other groups of a file of the same run stay.

    provenance: as far as available, `model`, `dataset`, `dataset_source`, `dataset_fingerprint`, `checkpoint_sha256`,
    `config` (text), `seed`, `device`, `wall_time_s`, and the entries of `environment()`. anew: the other groups go.
    ValueError when the file is of another checkpoint, code or data set, is not lrx's alone, or for values that HDF5
    tools cannot share.
    """
    old = read_own(path) if path.exists() else Results({}, {}, {})
    others = {} if anew else {name: result for name, result in old.assays.items() if name not in assays}
    different = differing_identity(old, provenance) if others else []
    if different:
        before, now = old.provenance.get(different[0]), provenance.get(different[0])
        raise ValueError(f"{path} holds results of {different[0]} {before}, not {now}: one file holds one run")
    of_each = {**old.provenance_of, **{name: dict(provenance) for name in assays}}
    with new_file(path) as file:
        file.attrs["format"] = FORMAT
        for key, value in provenance.items():
            file.attrs[key] = value
        # rewritten, not copied: copies of dimension scales would refer to the old file
        for name, result in {**others, **assays}.items():
            group = file.create_group(name, track_order=True)
            group.attrs["provenance"] = json.dumps(of_each[name])
            _write_result(group, result)


def differing_identity(stored: Results, provenance: Provenance) -> list[str]:
    """Return the entries of IDENTITY in which results that are there differ from what is to be written.

    Files of version 0.1.0 name no code, and identify their data without its classes.
    """
    is_earlier = "observations_fingerprint" not in stored.provenance
    earlier = {"dataset_fingerprint": provenance.get("observations_fingerprint"), "code_sha256": None}
    return [
        key
        for key in IDENTITY
        if (before := stored.provenance.get(key)) != provenance.get(key)
        and not (is_earlier and key in earlier and before == earlier[key])
    ]


@contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """Fill an HDF5 file in the block, which replaces `path` when the block ends without an error.

    It is made in memory, as HDF5 does not recover from a full disk. OSError in one line (bytes needed, bytes free)
    when it cannot be written.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", track_order=True) as file:
        yield file
    write_bytes(path, buffer.getbuffer())


def read(path: Path) -> Results:
    """Read every assay of a file; links are not followed. ValueError when it is cut, damaged or not of lrx."""
    try:
        with open_file(path) as file:
            provenance, foreign = read_attributes(file)
            assays, of_each = {}, {}
            for name in file:
                member = child(file, name)
                if not isinstance(member, h5py.Group) or PROVENANCE not in member.attrs:
                    foreign.append(member.name)
                    continue
                of_each[name] = json.loads(str(plain(member.attrs[PROVENANCE])))
                assays[name], others = read_result(member)
                foreign += others
            provenance.pop("format")
            return Results(assays, provenance, of_each, tuple(foreign))
    except UNREADABLE as error:
        raise ValueError(why_unreadable(path, "readable results file of lrx", error)) from error


def read_own(path: Path) -> Results:
    """Read a file that is to be replaced. ValueError as `read`, and where it holds what lrx did not write."""
    stored = read(path)
    if stored.foreign:
        raise ValueError(
            f"{path} would lose what lrx did not write: {join_names(stored.foreign)}; move the file away, or give "
            "another name"
        )
    return stored


def environment() -> dict[str, str | int]:
    """Return versions of lrx, torch, numpy and python, lrx's git commit (or `unknown`), and torch's threads."""
    import torch  # not for those that read

    return {
        "lrx": lrx.__version__,
        "torch": version("torch"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "git_commit": _git_commit(),
        "threads": torch.get_num_threads(),
    }


def _write_result(group: h5py.Group, result: AssayResult) -> None:
    sizes = {
        axis: size
        for array in result.arrays.values()
        for axis, size in zip(array.axes, array.values.shape, strict=True)
    }
    names = [*sizes, *result.arrays, *result.scores]
    if len(set(names)) < len(names):
        raise ValueError(f"axes, arrays and scores of {group.name} need distinct names, not {names}")
    for axis, size in sizes.items():
        labels = np.asarray(result.coordinates.get(axis, np.arange(size)))
        if labels.shape != (size,):
            raise ValueError(f"the axis {axis} of {group.name} has {size} places and labels of shape {labels.shape}")
        create(group, axis, labels).make_scale(axis)
    for name, array in result.arrays.items():
        stored = create(group, name, array.values)
        stored.attrs.update(array_attributes(array.unit, array.description or name))
        for position, axis in enumerate(array.axes):
            if array.values.shape[position] != sizes[axis]:
                raise ValueError(f"the axis {axis} of {group.name} has different sizes in different arrays")
            stored.dims[position].attach_scale(group[axis])
    for name, score in result.scores.items():
        group.create_dataset(name, data=np.float64(score))
    for name, setting in result.settings.items():
        if setting in WORDS:
            raise ValueError(f"the setting {name} of {group.name} cannot be the word {setting!r}")
        words = [word for word, meaning in WORDS.items() if meaning is setting]
        group.attrs[name] = words[0] if words else setting


def create(group: h5py.Group, name: str, values: np.ndarray) -> h5py.Dataset:
    """Create a data set of values. ValueError for types that HDF5 tools do not share."""
    if values.dtype.kind in "UOS":
        return group.create_dataset(name, data=values.astype(object), dtype=TEXT)
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    if values.dtype.kind not in "iuf" or values.dtype == np.float16:
        raise ValueError(f"{group.name}/{name} is {values.dtype}; HDF5 tools share integers, float32, float64 and text")
    large = values.ndim > 0 and values.nbytes >= LARGE
    compression = {"compression": "gzip", "compression_opts": 4, "shuffle": True} if large else {}
    return group.create_dataset(name, data=values, **compression)


def open_file(path: Path) -> h5py.File:
    """Open a results file for reading. OSError when it is no HDF5 file, or not of lrx."""
    file = h5py.File(path, "r")
    if plain(file.attrs.get("format")) != FORMAT:
        file.close()
        raise OSError(f"its attribute `format` is not {FORMAT}")
    return file


def _git_commit() -> str:
    """Return HEAD of lrx's work tree, with `-dirty` when tracked files differ from it."""
    top = Path(lrx.__file__).resolve().parents[1]
    if not (top / ".git").exists():
        return "unknown"
    try:
        described = subprocess.run(
            ["git", "-C", str(top), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip()
