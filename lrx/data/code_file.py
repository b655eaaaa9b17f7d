"""Codes and factors in a file: npz or HDF5 (arrays `codes`, `factors`, `factor_names`), or a table in csv or parquet.

In a table, columns named z0, z1, ... (or code, codes, latent, latents with a number) are codes, in the order of their
numbers, and every other column is a factor. Nothing is unpickled.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrx.core.text import join_names
from lrx.data.codes import CodesDataset, named_columns
from lrx.data.store.array_file import HDF5, NPZ, find_array
from lrx.data.store.parquet_files import INDEX
from lrx.data.store.text_array import read_texts

PARQUET = b"PAR1"
CODE = re.compile(r"(?:z|codes?|latents?)[ _.\[]?(\d+)\]?", re.I)
KINDS = "an npz or HDF5 file with arrays codes and factors, or a csv or parquet table"
NAMES = "factor_names"


@dataclass(frozen=True)
class _Content:
    codes: np.ndarray
    factors: Mapping[str, np.ndarray]
    words: str


def read_codes(path: Path) -> CodesDataset:
    """Return the codes and factors of a file, which is known by its first bytes, a csv table by its ending.

    ValueError in one line, with the file, for one without codes or factors, for text, NaN and other lengths;
    and for parquet without the extra `tables`; FileNotFoundError where there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"codes={path}: there is no such file; give {KINDS}")
    with path.open("rb") as opened:
        begin = opened.read(8)
    if begin.startswith((NPZ, HDF5)):
        content = _arrays(path)
    elif begin.startswith(PARQUET):
        content = _split(path, _parquet_columns(path))
    elif path.suffix.lower() in (".csv", ".tsv"):
        content = _split(path, _csv_columns(path))
    else:
        raise ValueError(f"codes={path} is none of the files that are read: {KINDS}")
    try:
        return CodesDataset(content.codes, content.factors, name=path.stem, source=f"{content.words} of {path.name}")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _arrays(file: Path) -> _Content:
    """Read the arrays of an npz or HDF5 file."""
    read = [np.concatenate(list(find_array(file, key).rows())) for key in ("codes", "factors")]
    try:
        return _Content(read[0], named_columns(read[1], read_texts(file, NAMES)), "arrays codes and factors")
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _split(file: Path, columns: Mapping[str, np.ndarray]) -> _Content:
    """Divide the columns of a table into codes and factors by their names."""
    numbered = {int(match[1]): name for name in columns if (match := CODE.fullmatch(name))}
    factors = {name: column for name, column in columns.items() if not CODE.fullmatch(name)}
    if not numbered or len(numbered) + len(factors) != len(columns):
        what = "two columns of one number" if numbered else "no column of codes"
        raise ValueError(
            f"{file} has {what}; name codes z0, z1, ..., and every other column is a factor. Its columns are "
            f"{join_names(list(columns), most=8)}"
        )
    index = next(filter(INDEX.fullmatch, columns), None)
    if index is not None:
        raise ValueError(f"{file}: column {index} is an index of pandas, and no factor; write it with index=False")
    for name, column in columns.items():
        if column.dtype.kind not in "biuf":
            raise ValueError(f"{file}: column {name} holds text, such as {column[0]}; number it, or leave it out")
    codes = np.stack([columns[numbered[number]].astype(np.float64) for number in sorted(numbered)], axis=1)
    words = f"columns {numbered[min(numbered)]} to {numbered[max(numbered)]} and {len(factors)} factors"
    return _Content(codes, factors, words)


def _csv_columns(file: Path) -> dict[str, np.ndarray]:
    """Read a table with a head line: integers, floats (empty cells are NaN), or texts, by the name of the column."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = [row for row in csv.reader(opened, delimiter="\t" if file.suffix.lower() == ".tsv" else ",") if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} is no table in UTF-8: {error}") from error
    if len(rows) < 2:
        raise ValueError(f"{file} holds no rows below a head line with the names of its columns")
    names = [name.strip() for name in rows[0]]
    if "" in names or len({*names}) != len(names):
        wrong = "without a name (is it an index? write the table without it)" if "" in names else "of one name"
        raise ValueError(f"{file} has columns {wrong}; its head line is {join_names(rows[0], most=8)}")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise ValueError(f"{file}: row {number} has {len(row)} cells, and the head line {len(names)}")
    return {name: _cells([row[place].strip() for row in rows[1:]]) for place, name in enumerate(names)}


def _cells(cells: list[str]) -> np.ndarray:
    is_text = any("_" in cell for cell in cells)  # numpy reads 1_0 as ten, as python does
    for kind in () if is_text else (np.int64, np.float64):
        try:
            return np.array([cell or "nan" for cell in cells]).astype(kind)
        except (ValueError, OverflowError):
            continue
    return np.array(cells)


def _parquet_columns(file: Path) -> dict[str, np.ndarray]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ValueError(f"{file} needs pyarrow: pip install 'lrx[tables]'") from error
    try:
        table = parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{file} is not a whole parquet file: {str(error).splitlines()[0]}") from error
    return {
        name: np.asarray(column.to_numpy(zero_copy_only=False))
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
