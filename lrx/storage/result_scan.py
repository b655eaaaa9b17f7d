"""Fast reading of scores and small arrays from results files, for tables of a thousand files.

`lrx.storage.results.read` takes h5py about 1 ms for each member, mostly for attributes and python objects. Here scores
are read by the bytes of their headers, arrays through h5py's low-level API, and of a group's attributes the remark
alone; the axes of an array are read from one file for all (`array_infos`). Links and external storage are refused, as
there.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5s, h5t

from lrx.core.text import one_line
from lrx.storage import results
from lrx.storage.array_attributes import ARRAY_ATTRIBUTES, unit_and_description
from lrx.storage.hdf5_members import axes, is_scale, links, why_unreadable
from lrx.storage.result_group import PROVENANCE, WORDS, read_attribute, read_attributes
from lrx.storage.score_header import ScoreHeader

SMALL = 32 * 2**10  # bytes up to which an array is read: 64 x 64 float64
LARGEST_CODES = 64 * 2**20  # bytes of the codes of one model
LONGEST_NAME = 200  # characters
MOST_MEMBERS = 2000  # of a file, in all its groups
MOST_LETTERS = 2**20  # of a text array: number of texts times the longest
REMARK = "remark"
NUMBERS = "biufc"  # kinds of dtypes
SCORE = ScoreHeader()  # as far as known in this process
COMPARED = {("codes", "codes"), ("codes", "image")}  # read up to LARGEST_CODES, for UDR


@dataclass(frozen=True)
class ScannedAssay:
    """Scores of one assay of a file, its small arrays and labels of axes by name (`members`), and its remark."""

    path: Path
    scores: dict[str, float]
    members: dict[str, np.ndarray]
    remark: str = ""


@dataclass(frozen=True)
class ArrayInfo:
    """Axes, unit and description of an array."""

    axes: tuple[str, ...]
    unit: str
    text: str


def scan(
    path: Path, foreign: list[str] | None = None, *, large: Set[tuple[str, str]] = COMPARED
) -> tuple[dict[str, ScannedAssay], dict[str, str | int | float]]:
    """Return the assays of a results file by name, and its provenance. ValueError in one line for a damaged file.

    foreign: gets the names of what lrx did not write. large: arrays, by assay and name, that are read up to
    LARGEST_CODES.
    """
    others = [] if foreign is None else foreign
    with _open(path) as file:
        assays = {}
        # addresses are those of the file's bytes only where it has no user block, and is a file of the system
        is_plain = file.driver == "sec2" and file.userblock_size == 0
        descriptor = file.id.get_vfd_handle() if is_plain else None
        root = h5g.open(file.id, b"/")
        count = _checked_count(root.get_num_objs())
        for link in links(root):
            group, key = link.open(root), _checked_name(link.name)
            if not isinstance(group, h5g.GroupID) or not h5a.exists(group, PROVENANCE.encode()):
                others.append(f"/{key}")
                continue
            count = _checked_count(count + group.get_num_objs())
            assays[key] = _scan_group(path, key, group, descriptor, others, large)
        attributes, _ = read_attributes(file)
        known = {key: value for key, value in attributes.items() if key != "format" and is_valid_name(key)}
        return assays, {sys.intern(key): value for key, value in known.items()}


def array_infos(path: Path, assay: str, names: list[str]) -> dict[str, ArrayInfo]:
    """Return what arrays of one assay of a file are; labels of axes are left out. ValueError as `scan`."""
    with _open(path) as file:
        infos = {}
        for name in names:
            array = file[assay][name]
            if not is_scale(array) and array.attrs.keys() >= ARRAY_ATTRIBUTES:
                attached = axes(file, array)
                if attached is not None:
                    infos[name] = ArrayInfo(attached, *unit_and_description(array.attrs))
        return infos


def is_valid_name(text: str) -> bool:
    """Return whether a text can name a column: printable, and at most LONGEST_NAME characters."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable()


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    try:
        with results.open_file(path) as file:
            yield file
    except results.UNREADABLE as error:
        raise ValueError(why_unreadable(Path(path.name), "readable results file of lrx", error)) from error


def _scan_group(
    path: Path,
    assay: str,
    group: h5g.GroupID,
    descriptor: int | None,
    foreign: list[str],
    large: Set[tuple[str, str]],
) -> ScannedAssay:
    """Return the scan of a group. descriptor: of its file; None: no score is read by the bytes of its header."""
    scores, members = {}, {}
    for link in links(group):
        key, score = _checked_name(link.name), None
        if descriptor is not None and link.address is not None:
            score = SCORE.read(descriptor, link.address)
        if score is not None:
            scores[key] = score
            continue
        stored = link.open(group)
        if not isinstance(stored, h5d.DatasetID):
            foreign.append(f"/{assay}/{key}")
            continue
        shape, dtype = stored.shape, stored.dtype
        if shape == () and dtype.kind == "f":
            scores[key] = float(_values(stored, shape, dtype))
            if descriptor is not None:
                SCORE.learn(descriptor, stored)
            continue
        has_class = h5a.exists(stored, b"CLASS")  # as labels of axes have
        if not (has_class or h5a.exists(stored, b"units")):  # no array and no labels of an axis
            foreign.append(f"/{assay}/{key}")
        if not (dtype.kind in NUMBERS or h5py.check_string_dtype(dtype) is not None):
            continue  # references, and numbers of any length, which no table holds
        if shape and dtype.itemsize * math.prod(shape) <= (LARGEST_CODES if (assay, key) in large else SMALL):
            values = _values(stored, shape, dtype)
            is_shared = has_class and values.nbytes <= SMALL
            members[key] = _shared(values.tobytes(), values.dtype, shape) if is_shared else values
    return ScannedAssay(path, scores, members, _remark(group))


@functools.lru_cache(1024)
def _shared(content: bytes, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Return labels of an axis, one array for all that are the same."""
    return np.ndarray(shape, dtype, content)


def _remark(group: h5g.GroupID) -> str:
    """Return the setting `remark` in one line, empty where there is none."""
    remark = read_attribute(group, REMARK) if h5a.exists(group, REMARK.encode()) else None
    text = one_line(remark) if isinstance(remark, str) else ""
    return "" if text in WORDS else text


def _checked_count(count: int) -> int:
    if count > MOST_MEMBERS:
        raise ValueError(f"it has more than {MOST_MEMBERS:,} parts")
    return count


def _checked_name(name: bytes) -> str:
    text = name.decode()
    if not is_valid_name(text):
        raise ValueError(f"invalid name {text[:40]!r}: longer than {LONGEST_NAME} characters, or not printable")
    return sys.intern(text)  # thousands of files have the same names


def _values(stored: h5d.DatasetID, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if h5py.check_string_dtype(dtype) is not None:
        texts = h5py.Dataset(stored).asstr(errors="replace")[()]
        if texts.size * max(map(len, texts.flat), default=0) > MOST_LETTERS:
            raise ValueError(f"{stored.name.decode()} has a text that is too long")
        if dtype.kind == "O" or not any("\0" in text for text in texts.flat):  # which results cannot hold
            return np.asarray(texts, dtype=np.str_)
    values = np.empty(shape, dtype)
    stored.read(h5s.ALL, h5s.ALL, values, _in_memory(dtype) if dtype.kind in NUMBERS else None)
    return values


@functools.lru_cache(256)
def _in_memory(dtype: np.dtype) -> h5t.TypeID:
    """Return HDF5's type of numbers of a dtype; h5py makes it anew at every reading."""
    return h5t.py_create(dtype)
