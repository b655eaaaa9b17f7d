"""Scores and small arrays of a results file, quickly: what a table of a thousand files is made of.

Reading a file with `lrx.storage.results.read` takes h5py a millisecond for each member, mostly for attributes and for
objects
of python's. Here members are read through h5py's low level and without attributes, which takes a fiftieth; what an
array's axes are called is asked of one file for all (`describe`). Links and foreign storage are refused, as there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from h5py import h5d, h5g, h5i, h5o, h5s

from lrx.storage import results

SMALL = 32 * 2**10  # bytes of an array that counts as small: 64 x 64 float64
CODES = 64 * 2**20  # bytes of the codes of one model, at most
LONGEST_NAME = 200  # letters
MOST_MEMBERS = 2000  # of a file, in all its groups
MOST_LETTERS = 2**20  # of a text array, filled up to its longest text
KEPT_WHOLE = {("codes", "codes"), ("codes", "image")}  # of any size up to CODES: UDR compares them


@dataclass(frozen=True)
class Scanned:
    """One assay of a file. members: its small arrays and the labels of their axes, by name."""

    path: Path
    scores: dict[str, float]
    members: dict[str, np.ndarray]


def scan(path: Path) -> tuple[dict[str, Scanned], dict[str, str | int | float]]:
    """The assays of a results file by name, and its provenance. ValueError in one line when it is not a whole one."""
    with _reading(path) as file:
        assays, count = {}, 0
        for name in h5g.open(file.id, b"/"):
            group, key = _member(file.id, name), _name(name)
            if not isinstance(group, h5g.GroupID):
                raise ValueError(f"{key} is no group")
            count += 1 + group.get_num_objs()
            if count > MOST_MEMBERS:
                raise ValueError(f"it has more than {MOST_MEMBERS:,} parts")
            assays[key] = _scan_group(path, key, group)
        # attributes as python's own types; those of other kinds are none of lrx
        known = {key: value.item() if isinstance(value, np.generic) else value for key, value in file.attrs.items()}
        plain = {key: value for key, value in known.items() if isinstance(value, str | int | float)}
        return assays, {key: value for key, value in plain.items() if key != "format" and is_name(key)}


@dataclass(frozen=True)
class Description:
    """What an array is."""

    axes: tuple[str, ...]
    unit: str
    text: str


def describe(path: Path, assay: str, names: list[str]) -> dict[str, Description]:
    """Axes, unit and description of arrays of one assay of a file, labels of axes left out. ValueError as `scan`."""
    with _reading(path) as file:
        found = {}
        for name in names:
            array = file[assay][name]
            if array.attrs.get("CLASS") in ("DIMENSION_SCALE", b"DIMENSION_SCALE"):
                continue
            found[name] = Description(
                results.axes(file, array), str(array.attrs["units"]), str(array.attrs["long_name"])
            )
        return found


@contextmanager
def _reading(path: Path) -> Iterator[h5py.File]:
    try:
        with results.open_file(path) as file:
            yield file
    except (OSError, KeyError, IndexError, RuntimeError, TypeError, AttributeError, ValueError, MemoryError) as error:
        raise ValueError(f"{path.name} is not a readable results file of lrx: {error}") from error


def _scan_group(path: Path, assay: str, group: h5g.GroupID) -> Scanned:
    scores, members = {}, {}
    for name in group:
        stored, key = _member(group, name), _name(name)
        if not isinstance(stored, h5d.DatasetID):
            raise ValueError(f"{assay}/{key} is no data set")
        shape, dtype = stored.shape, stored.dtype
        if shape == () and dtype.kind == "f":
            scores[key] = float(_values(stored, shape, dtype))
        elif shape and dtype.itemsize * math.prod(shape) <= (CODES if (assay, key) in KEPT_WHOLE else SMALL):
            members[key] = _values(stored, shape, dtype)
    return Scanned(path, scores, members)


def is_name(text: str) -> bool:
    """Whether a text can name a column: not too long, and printable."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable()


def _name(name: bytes) -> str:
    text = name.decode()
    if not is_name(text):
        raise ValueError(f"{text[:40]!r} is no name, but {len(text):,} letters, or letters that cannot be shown")
    return text


def _member(group: h5g.GroupID, name: bytes) -> h5g.GroupID | h5d.DatasetID:
    """A member that lies in this file."""
    if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
        raise ValueError(f"{_name(name)} leads elsewhere; lrx does not follow it")
    stored = h5o.open(group, name)
    if h5i.get_type(stored) == h5i.DATASET:
        storage = stored.get_create_plist()
        if storage.get_layout() == h5d.VIRTUAL or storage.get_external_count():
            raise ValueError(f"{_name(name)} leads elsewhere; lrx does not follow it")
    return stored


def _values(stored: h5d.DatasetID, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "O":
        texts = h5py.Dataset(stored).asstr()[()]
        if texts.size * max(map(len, texts.flat), default=0) > MOST_LETTERS:
            raise ValueError(f"{stored.name.decode()} has a text that is too long")
        return np.asarray(texts, dtype=np.str_)
    values = np.empty(shape, dtype)
    stored.read(h5s.ALL, h5s.ALL, values)
    return values
