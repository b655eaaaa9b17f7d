"""Parquet files with a column of encoded images, such as data sets of the Hugging Face hub, with classes or without."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np

from lrx.core.checksum import sha256
from lrx.core.factors import FactorSpace
from lrx.core.paths import expand_user
from lrx.core.text import count_of, join_names
from lrx.core.validation import SettingError
from lrx.data.grid import GridDataset
from lrx.data.labelled import StoreDataset
from lrx.data.store.cache import Origin, Progress, Recipe, open_or_convert
from lrx.data.store.class_labels import Classes, check_classes, with_classes
from lrx.data.store.parquet_files import EncodedImage, Table, open_table
from lrx.data.store.picture_files import natural_order
from lrx.data.store.picture_reader import PictureReader
from lrx.data.store.picture_stream import stream
from lrx.data.store.pictures import Treatment, Unreadable
from lrx.data.store.pixels import MappedPixels

NAME = "parquet"
AUTO, NONE = "auto", "none"
NO_FACTORS = FactorSpace((), ())


class Reading(TypedDict):
    """Settings of images: crop, size, background as in lrx.data.store.pictures.Treatment; channels 1, 3 or None."""

    crop: int | str | None
    size: int | None
    channels: int | None
    background: str


def parquet(
    *,
    root: str,
    path: str,
    image: str | None,
    classes: str | Sequence[str],
    progress: Progress | None = None,
    **reading: Unpack[Reading],
) -> StoreDataset:
    """Return the images (C, H, W) of parquet files, in the order of their names.

    root: the pixels are kept uncompressed in `root/converted`, made anew when a file changes.
    path: a file, a folder, or a pattern such as `shapes3d/data/train-*`. image: the column of images; None for the one.
    classes: names of columns; "auto" for those that the metadata call class labels, or else those of whole numbers from
        0 that are no numbers of rows; "none". Whole numbers are classes from 0; of others, the ranks of the values are.
        If each combination is there once, the data set is a full grid, in whatever order it is stored; otherwise its
        classes are labels.
    channels: 1 for grey, 3 for RGB; None takes what the first image has, and refuses the others.
    progress: called with (images done, images in all) while they are decoded.
    ValueError for files that are not as described, FileNotFoundError where there are none, OSError where the pixels
    cannot be written.
    """
    if reading["channels"] not in (None, 1, 3) or isinstance(reading["channels"], bool):
        raise SettingError(f"channels must be 1, 3 or null, not {reading['channels']!r}")
    treatment = Treatment(reading["crop"], reading["size"], reading["background"])
    table = open_table(path)
    column = _image_column(table, image)
    labels = {name: table.values(name) for name in _class_columns(table, classes)}
    if classes == AUTO:
        labels = {name: values for name, values in labels.items() if name in table.class_names or _are_classes(values)}
    reader = PictureReader(table.files[0].parent, treatment, reading["channels"], all_frames=False)
    encoded = next(table.images(column))
    try:
        first = reader.first_of(encoded.data, encoded.name)
    except Unreadable as error:
        raise ValueError(f"{table.files[0].parent}: {error}") from error

    place = expand_user(path)
    listed = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in table.files]
    words = f"{treatment.words}, {'grey' if first.shape[2] == 1 else 'RGB'}"
    digest = sha256(repr(listed).encode(errors="surrogateescape"))
    details = f"column {column}, files {digest}, {words}, transparent on {treatment.background}"
    key = sha256(f"{os.path.realpath(place)} {column} {words} {treatment.background}")[:12]
    name = Path(os.path.realpath(place)).name.partition("*")[0].removesuffix(".parquet").strip("-_.") or NAME
    notes: list[str] = []

    def blocks() -> Iterator[np.ndarray]:
        def decode(picture: EncodedImage) -> np.ndarray:
            try:
                return reader.decode_bytes(picture.data, picture.name, first)
            except Unreadable as error:  # in a file that is whole otherwise: not to be left out in silence
                raise ValueError(str(error)) from error

        yield from stream(table.images(column), decode, shape=first.shape, on_corrupt="error", skipped=[])
        notes.append(json.dumps(reader.counts))

    shape = (table.num_rows, *first.shape)
    recipe = Recipe(NAME, shape, "uint8", NO_FACTORS, Origin(details=details))
    stem = expand_user(root) / "converted" / f"{name}-{key}"
    cache = open_or_convert(stem, recipe, blocks, progress=progress, notes=notes)
    source = f"column {column} of {count_of(len(table.files), 'parquet file')} at {place}, {words}"
    dataset = with_classes(
        _classes(labels, num_rows=table.num_rows),
        name=name,
        source=source,
        fingerprint=cache.fingerprint,
        pixels=MappedPixels(cache.pixels, shape=shape),
    )
    dataset.class_names = {
        **dataset.class_names,
        **_class_names(table, labels, is_grid=isinstance(dataset, GridDataset)),
    }
    remarks = [dataset.remark, *_left_out(table, column, [*labels], classes), *_met(reader, cache.notes)]
    dataset.remark = "; ".join(filter(None, remarks))
    return dataset


def _image_column(table: Table, image: str | None) -> str:
    columns = table.image_columns
    if image is None and len(columns) == 1:
        return columns[0]
    if image is None or image not in columns:
        has = f"has the columns of images {join_names(columns)}" if columns else "has no column of images (bytes)"
        given = "set dataset.image to one" if image is None else f"image={image} is none of them"
        if not columns or image is not None:
            has += f"; its columns are {join_names(table.schema.names, most=12)}"
        raise SettingError(f"image: {table.files[0].name} {has}" + (f"; {given}" if columns else ""))
    return image


def _class_columns(table: Table, classes: str | Sequence[str]) -> list[str]:
    if classes == NONE:
        return []
    if classes == AUTO:
        return [*table.class_names] or table.whole_columns
    if isinstance(classes, str):
        raise SettingError(
            f"classes must be {AUTO}, {NONE} or a list of columns such as [shape,scale], not {classes!r}"
        )
    for name in classes:
        if name not in table.schema.names or classes.count(name) > 1:
            why = "is there twice" if name in table.schema.names else "is no column"
            raise SettingError(f"classes: {name} {why}; the columns are {join_names(table.schema.names, most=12)}")
    return [*classes]


def _are_classes(values: np.ndarray) -> bool:
    """Return whether whole numbers may be classes: none is below 0, and some row has the value of another one."""
    return bool(values.min() >= 0) and (len(values) == 1 or len(np.unique(values)) < len(values))


def _classes(labels: dict[str, np.ndarray], *, num_rows: int) -> Classes | None:
    if not labels:
        return None
    columns = [values if values.dtype.kind in "iu" else _ranks(name, values) for name, values in labels.items()]
    whole = np.stack([column.astype(np.int64) for column in columns], axis=1)
    return check_classes(whole, [*labels], num_rows=num_rows, what=("", join_names([*labels])), setting="classes")


def _ranks(name: str, values: np.ndarray) -> np.ndarray:
    """Return the rank of each value: of texts in natural order, 2 before 10."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"column {name!r} has the value {values[~np.isfinite(values)][0]}, which is no class")
    distinct, codes = np.unique(values, return_inverse=True)
    if values.dtype.kind == "O":
        rank = {text: place for place, text in enumerate(natural_order(distinct.tolist()))}
        return np.array([rank[text] for text in distinct.tolist()])[codes]
    return codes


def _class_names(table: Table, labels: dict[str, np.ndarray], *, is_grid: bool) -> dict[str, tuple[str, ...]]:
    """Return the names of classes: those of the metadata, or the values that were ranked."""
    names = {}
    for column, values in labels.items():
        given = table.class_names.get(column, [])
        if values.dtype.kind not in "iu":
            distinct = np.unique(values).tolist()
            names[column] = tuple(natural_order(distinct) if values.dtype.kind == "O" else map(str, distinct))
        elif given and given != [str(place) for place in range(len(given))] and values.max() < len(given):
            present = np.unique(values) if is_grid else range(int(values.max()) + 1)
            names[column] = tuple(given[value] for value in present)
    return names


def _left_out(table: Table, image: str, names: Sequence[str], classes: str | Sequence[str]) -> list[str]:
    others = [name for name in table.schema.names if name not in (image, *names)]
    if classes != AUTO or not others:
        return []
    read = join_names(names) or "none"
    return [f"columns of classes: {read}; not read: {join_names(others)} (dataset.classes=[...] reads them)"]


def _met(reader: PictureReader, notes: Sequence[str]) -> list[str]:
    counts = json.loads(next(iter(notes), "{}"))
    frames = counts.pop("frames", 0)
    return reader.words(counts) + ([f"left out {count_of(frames, 'further frame')}"] if frames else [])
