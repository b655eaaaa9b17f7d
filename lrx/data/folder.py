"""Folder of your own images, with the names of its sub-folders as labels."""

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
from lrx.core.validation import SettingError, check_choice
from lrx.data.labelled import LabelledDataset, PickedPixels, StoreDataset
from lrx.data.store.cache import Origin, Progress, Recipe, open_or_convert
from lrx.data.store.picture_files import list_pictures, natural_order
from lrx.data.store.picture_reader import PictureReader
from lrx.data.store.picture_stream import check_skipped, check_stream, stream
from lrx.data.store.pictures import WHITE, Treatment
from lrx.data.store.pixels import MappedPixels, PixelStore

NAME = "folder"
NO_FACTORS = FactorSpace(names=(), sizes=())
FRAMES, LABELS = ("first", "all"), ("auto", "folder", "none")


class Reading(TypedDict, total=False):
    """Settings that configs of version 0.1.0 lack."""

    background: str
    frames: str
    labels: str


def folder(
    *,
    root: str,
    path: str,
    size: int | None,
    crop: int | str | None,
    channels: int | None,
    on_corrupt: str,
    progress: Progress | None = None,
    **reading: Unpack[Reading],
) -> StoreDataset:
    """Return images (C, H, W) of a folder and its sub-folders, sorted by name, without hidden files.

    The first folder on the way of an image is its label `folder`, with the classes 0, 1, ... in the order of the names,
    2 before 10. What is left out, and why, is counted in `remark` and `source`.
    root: the pixels are kept uncompressed in `root/converted`, made anew when an image comes, goes or changes.
    path: the folder. size, crop, background ("white"): as in lrx.data.store.pictures.Treatment.
    channels: 1 for grey, 3 for RGB; None takes what the first image has, and refuses the others.
    on_corrupt: "error" to stop at an unreadable image, "skip" to leave it out.
    frames: "first" (the default) or "all" pages of TIFF and frames of GIF, WebP and the like, each an image.
    labels: "folder" leaves out images beside the folders; "none" takes all images, without labels; "auto" (the default)
        is "folder" where there are two folders or more, and fewer images beside them than in them, else "none".
    progress: called with (images done, images in all) while they are decoded.
    ValueError for images that do not go together, FileNotFoundError where there is no such folder, OSError where the
    pixels cannot be written.
    """
    unknown = reading.keys() - Reading.__annotations__.keys()
    if unknown:
        raise TypeError(f"folder() got an unexpected keyword argument {min(unknown)!r}")
    frames, labels = reading.get("frames", FRAMES[0]), reading.get("labels", LABELS[0])
    check_stream(on_corrupt=on_corrupt, workers=None)
    check_choice("frames", frames, FRAMES)
    check_choice("labels", labels, LABELS)
    if channels not in (None, 1, 3) or isinstance(channels, bool):
        raise SettingError(f"channels must be 1, 3 or null, not {channels!r}")
    treatment = Treatment(crop, size, reading.get("background", WHITE))
    directory = Path(os.path.realpath(expand_user(path)))  # which, unlike pathlib, raises nothing
    listing = list_pictures(directory)
    names, is_labelled, beside = _choose([file.name for file in listing.files], labels)
    reader = PictureReader(directory, treatment, channels, all_frames=frames == "all")
    images = reader.images(names)
    first = reader.first(images)

    description = f"{treatment.words}, {'grey' if first.shape[2] == 1 else 'RGB'}"
    chosen = set(names)
    files = [file for file in listing.files if file.name in chosen]
    digest = sha256(repr(files).encode(errors="surrogateescape"))
    differing = [value for value in (treatment.background, frames) if value not in (WHITE, FRAMES[0])]
    shape = (len(images), *first.shape)
    details = f"files {digest}, {description}, transparent on {treatment.background}, {frames} frames"
    key = sha256(" ".join([str(directory), description, *differing]))[:12]
    stem = expand_user(root) / "converted" / f"{directory.name}-{key}"
    notes: list[str] = []

    def blocks() -> Iterator[np.ndarray]:
        skipped: list[str] = []
        yield from stream(
            list(images),
            lambda name: reader.decode(name, images, first),
            shape=first.shape,
            on_corrupt=on_corrupt,
            skipped=skipped,
        )
        notes.extend([json.dumps(reader.counts), *skipped])

    recipe = Recipe(NAME, shape, "uint8", NO_FACTORS, Origin(details=details))
    cache = open_or_convert(stem, recipe, blocks, progress=progress, notes=notes)
    unreadable = set(cache.notes[1:])
    left_out = check_skipped(cache.notes[1:], on_corrupt=on_corrupt)
    remark = "; ".join([*beside, *listing.left_out, *reader.words(json.loads(next(iter(cache.notes), "{}")))])
    pixels: PixelStore = MappedPixels(cache.pixels, shape=shape)
    fingerprint = cache.fingerprint
    if unreadable:
        readable = PickedPixels(pixels, np.flatnonzero([name not in unreadable for name in images]))
        pixels, fingerprint = readable, readable.fingerprint(fingerprint)
    source = f"images in {directory}, {description}{left_out}{'; ' if remark else ''}{remark}"
    tops = [name.split("/")[0] for name in images if name not in unreadable] if is_labelled else []
    dataset = _with_labels(directory.name, source, fingerprint, pixels, tops)
    dataset.remark = remark + (left_out if remark else left_out.removeprefix(", "))
    return dataset


def _choose(names: Sequence[str], labels: str) -> tuple[list[str], bool, list[str]]:
    """Return the files to read, whether their folders are labels, and what is said of files beside the folders."""
    inside = [name for name in names if "/" in name]
    beside = [name for name in names if "/" not in name]
    num_folders = len({name.split("/")[0] for name in inside})
    if labels == "folder" and num_folders < 2:
        raise SettingError(f"labels=folder needs images in two folders or more, and there are {num_folders}")
    if labels == "none" or num_folders < 2:
        return list(names), False, []
    if labels == "folder" or len(beside) < len(inside):
        what = f"{count_of(len(beside), 'image')} beside the folders that are labels ({join_names(beside)})"
        return inside, True, [f"left out {what}; dataset.labels=none takes all, without labels"] if beside else []
    what = f"{len(beside):,} of {len(names):,} images lie beside the folders"
    return list(names), False, [f"no labels, as {what}; dataset.labels=folder leaves those out"]


def _with_labels(name: str, source: str, fingerprint: str, pixels: PixelStore, tops: Sequence[str]) -> StoreDataset:
    """Return the data set with the first folder of each image as its label; without labels where there is none."""
    folders = natural_order(set(tops))
    if not folders:
        return StoreDataset(name=name, source=source, fingerprint=fingerprint, pixels=pixels)
    codes = {top: code for code, top in enumerate(folders)}
    dataset = LabelledDataset(
        name=name,
        source=source,
        fingerprint=fingerprint,
        pixels=pixels,
        label_names=(NAME,),
        label_sizes=(len(folders),),
        classes=np.array([[codes[top]] for top in tops]),
    )
    dataset.class_names = {NAME: tuple(folders)}
    return dataset
