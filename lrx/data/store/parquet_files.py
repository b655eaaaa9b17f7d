"""Parquet files of one table, in shards: a column of encoded images, and columns of labels.

Images are structs with a field `bytes`, or bytes alone; names of classes stand in the metadata, as the package
`datasets` writes them. Source: https://huggingface.co/docs/datasets, and files that version 5.2.0 wrote.
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lrx.core.paths import expand_user
from lrx.core.text import join_names
from lrx.core.validation import SettingError
from lrx.data.store.picture_files import natural_order

if TYPE_CHECKING:
    import pyarrow

# older files of the hub have a checksum at the end: train-00000-of-00001-566cc9b19d7203f8.parquet
SHARD = re.compile(r"(?P<split>.+)-(?P<number>\d+)-of-(?P<count>\d+)(-[0-9a-f]+)?\.parquet")
# Words that name a split on the hub, between other signs than letters, in files or folders (default/test/0000.parquet).
# Source: https://huggingface.co/docs/hub/datasets-file-names-and-splits
SPLIT = re.compile(
    r"(?<![a-z])(?:(?P<train>train|training)|(?P<validation>validation|valid|val|dev)"
    r"|(?P<test>test|testing|eval|evaluation))(?![a-z])",
    re.I,
)
INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+")  # columns in which pandas writes an index without a name
POINTER = b"version https://git-lfs"
NUM_ROWS = 256  # of a batch


@dataclass(frozen=True)
class EncodedImage:
    """Bytes of an image file, with its name for messages."""

    name: str
    data: bytes

    def __str__(self) -> str:
        """Return the name."""
        return self.name


@dataclass(frozen=True)
class Table:
    """Shards of one table, in the order of their names."""

    files: tuple[Path, ...]
    schema: pyarrow.Schema
    num_rows: int

    @cached_property
    def image_columns(self) -> list[str]:
        """Columns of encoded images."""
        from pyarrow import types

        def is_encoded(kind: pyarrow.DataType) -> bool:
            if types.is_struct(kind):
                place = kind.get_field_index("bytes")
                return place >= 0 and is_encoded(kind.field(place).type)
            return bool(types.is_binary(kind) or types.is_large_binary(kind))

        return [field.name for field in self.schema if is_encoded(field.type)]

    @cached_property
    def class_names(self) -> dict[str, list[str]]:
        """Names of the classes of each column of class labels, as the metadata have them."""
        text = (self.schema.metadata or {}).get(b"huggingface", b"{}")
        try:
            features = json.loads(text)["info"]["features"]
            labels = {name: entry for name, entry in features.items() if entry.get("_type") == "ClassLabel"}
            return {name: [*map(str, entry["names"])] for name, entry in labels.items() if name in self.schema.names}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    @cached_property
    def whole_columns(self) -> list[str]:
        """Columns of whole numbers, true and false, without those of an index."""
        from pyarrow import types

        whole = [field.name for field in self.schema if types.is_integer(field.type) or types.is_boolean(field.type)]
        return [name for name in whole if not INDEX.fullmatch(name)]

    def values(self, column: str) -> np.ndarray:
        """Return a column of numbers or texts, (N,). ValueError for other columns, and for a row without a value."""
        from pyarrow import parquet, types

        pieces = []
        for file in self.files:
            with _errors(file):
                piece = parquet.read_table(file, columns=[column]).column(column)
            kind = piece.type.value_type if types.is_dictionary(piece.type) else piece.type
            if not (types.is_integer(kind) or types.is_boolean(kind) or types.is_floating(kind) or _is_text(kind)):
                raise ValueError(f"{file}: column {column!r} is {piece.type}; classes are numbers or texts")
            if piece.null_count:
                raise ValueError(f"{file}: column {column!r} has {piece.null_count} rows without a value")
            pieces.append(np.asarray(piece.cast(kind).to_numpy()))
        return np.concatenate(pieces)

    def images(self, column: str) -> Iterator[EncodedImage]:
        """Yield the images of a column, of which a batch is in memory. ValueError for a row that has none."""
        from pyarrow import parquet

        for file in self.files:
            row = 0
            with _errors(file), parquet.ParquetFile(file) as opened:
                for batch in opened.iter_batches(batch_size=NUM_ROWS, columns=[column]):
                    for value in batch.column(0).to_pylist():
                        data = value.get("bytes") if isinstance(value, dict) else value
                        if data is None:
                            path = value.get("path") if isinstance(value, dict) else None
                            where = f", only the path {path!r}" if path else ""
                            raise ValueError(f"{file}: row {row} of {column!r} holds no image{where}")
                        yield EncodedImage(f"{file.name} row {row}", data)
                        row += 1


def open_table(path: str) -> Table:
    """Open a parquet file, the files of a folder, or those that a pattern such as `data/train-*` gives.

    ValueError for several splits, missing shards, files of other columns, or other files; FileNotFoundError.
    """
    files = _list_files(path)
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ValueError(f"{files[0]} needs pyarrow: pip install 'lrx[tables]'") from error
    schemas, num_rows = [], 0
    for file in files:
        with _errors(file), parquet.ParquetFile(file) as opened:
            schemas.append(opened.schema_arrow)
            num_rows += opened.metadata.num_rows
        if not schemas[-1].equals(schemas[0]):
            raise ValueError(f"{file} has other columns than {files[0].name}: {_columns(schemas[-1])}")
    if not num_rows:
        raise ValueError(f"{files[0]} has no rows")
    return Table(tuple(files), schemas[0], num_rows)


def _list_files(path: str) -> list[Path]:
    place = str(expand_user(path))
    if os.path.isdir(place):
        found = glob.glob(f"{glob.escape(place)}/**/*.parquet", recursive=True)
    else:
        found = [place] if os.path.isfile(place) else glob.glob(place, recursive=True)
    files = [Path(name) for name in natural_order(found) if os.path.isfile(name)]
    if not files:
        arrow = glob.glob(f"{glob.escape(place)}/**/*.arrow", recursive=True)
        hint = "; save_to_disk wrote .arrow files there: write them with to_parquet" if arrow else ""
        raise FileNotFoundError(f"there is no parquet file at {place}{hint}; name a file, a folder or a pattern")
    splits = _splits(files)
    if len(splits) > 1:
        names = natural_order(splits)
        raise SettingError(
            f"path={place} gives the splits {join_names(names)}; name one, as in dataset.path='{splits[names[0]]}'"
        )
    shards = [match for match in map(SHARD.fullmatch, (file.name for file in files)) if match is not None]
    numbers, count = {int(match["number"]) for match in shards}, int(shards[0]["count"]) if shards else 0
    if len(numbers) != count:
        raise ValueError(f"{files[0].parent} has {len(numbers)} of the {count} shards of {shards[0]['split']}")
    if len(shards) != count:
        raise ValueError(f"{place} gives shards of {shards[0]['split']} twice: {len(shards)} files of {count} numbers")
    return files


def _splits(files: list[Path]) -> dict[str, str]:
    """Return the splits that the names of files, or of folders that not all have in common, say; each with its path."""
    top = Path(os.path.commonpath([file.parent for file in files]))
    splits: dict[str, str] = {}
    for file in files:
        if shard := SHARD.fullmatch(file.name):
            splits.setdefault(shard["split"], f"{top}/**/{shard['split']}-*")
            continue
        parts = file.relative_to(top).parts
        for place, part in enumerate(parts):
            if word := SPLIT.search(part):
                is_folder = place < len(parts) - 1
                path = top.joinpath(*parts[: place + 1]) if is_folder else f"{top}/**/*{word[0]}*"
                splits.setdefault(str(word.lastgroup), str(path))
                break
    return splits


@contextmanager
def _errors(file: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, pyarrow.ArrowException):
            raise
        with open(file, "rb") as opened:
            is_pointer = opened.read(len(POINTER)) == POINTER
        why = "a pointer of Git LFS in its place: git lfs pull fetches it" if is_pointer else str(error).splitlines()[0]
        raise ValueError(f"{file} is not a whole parquet file: {why}") from error


def _is_text(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _columns(schema: pyarrow.Schema) -> str:
    return join_names([f"{field.name} {field.type}" for field in schema], most=8)
