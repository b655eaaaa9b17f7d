"""Tables of groups of models that differ in their seed alone, as HDF5 and as CSV; see lrx.runs.over_seeds.

In HDF5 a group for each assay has, over the dimension `group`, each score and array x with `x_se_within`,
`x_se_between` and `x_num_seeds`, the number of seeds that have it. Latents of an array are numbered as in the run
`reference`; `alignment/latent` (model, place) holds which latent of each model has that place, and its sign. Where
groups have other numbers of latents, or other factors, an array has all labels, and NaN where a group lacks one.
Arrays that are larger than lrx.storage.result_scan.SMALL in a run, or that runs have over other labels, are left out.
In CSV: a row for each group, with its scores.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from lrx.runs.grouping import SEEDS, varying_keys
from lrx.runs.hdf5_variables import Variables, free_name
from lrx.runs.over_seeds import Estimate, Key
from lrx.runs.seed_groups import SeedGroup
from lrx.runs.table import MOST_COLUMNS, Setting, text

SUFFIXES = {  # of the variables beside a mean
    "": "mean of {} over seeds",
    "_se_within": "standard error of {} from the draws of the assay, of the mean of these models",
    "_se_between": "standard error of {} from the spread over seeds, of the mean over all seeds",
    "_num_seeds": "number of seeds that have {}",
}
ALIGNMENT = "alignment"
SEEDS_START = "group,num_seeds,"  # of the first line of each table, by which an older one is known
LARGEST = 2**27  # numbers of one array of all groups


def facts(group: SeedGroup) -> dict[str, Setting]:
    """Return what a group is: its label, runs, alignment and remarks."""
    summary = group.summary
    return {
        "group": group.label,
        "num_seeds": len(summary.runs),
        "runs": "; ".join(summary.runs),
        "repeated_seeds": "; ".join(summary.repeated),
        "remark": "; ".join(f"{assay}: {', '.join(runs)}" for assay, runs in summary.remarks.items()),
        "alignment": summary.alignment,
        "reference": summary.reference,
        "agreement": summary.agreement,
    }


def write_seeds_csv(path: Path, groups: Sequence[SeedGroup]) -> None:
    """Write a row for each group; with no groups, the names of the first columns alone."""
    rows = [facts(group) for group in groups]
    settings = [key for key in varying_keys([group.config for group in groups]) if key not in SEEDS][:MOST_COLUMNS]
    columns: dict[str, list[Setting]] = {key: [row[key] for row in rows] for key in FACTS}
    columns |= {key: [_setting(group.config.get(key, "")) for group in groups] for key in settings if key not in FACTS}
    for assay, name in _keys(groups):
        for suffix in SUFFIXES:
            columns[f"{assay}.{name}{suffix}"] = [_part(g.summary.scores.get((assay, name)), suffix) for g in groups]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(map(text, cells) for cells in zip(*columns.values(), strict=True))


def write_seeds(file: h5py.File, name: str, groups: Sequence[SeedGroup]) -> None:
    """Write groups of models as one group of a file."""
    stored, labels = file.create_group(name, track_order=True), [group.label for group in groups]
    names: dict[str, str] = {}
    for assay in dict.fromkeys(assay for assay, _ in _keys(groups)):
        names[assay] = free_name(assay, {ALIGNMENT, "group", *names.values()})
    root = Variables(stored, "group", labels, taken={ALIGNMENT, *names.values()})
    rows = [facts(group) for group in groups]
    for key in FACTS[1:]:
        root.put(key, np.array([row[key] for row in rows]), key)
    for assay, unique in names.items():
        _write_assay(stored.create_group(unique, track_order=True), assay, groups)
    if any(group.summary.aligned is not None for group in groups):
        _write_alignment(stored.create_group(ALIGNMENT, track_order=True), groups)


def _write_assay(stored: h5py.Group, assay: str, groups: Sequence[SeedGroup]) -> None:
    arrays = {key: array for group in groups for key, (array, _) in group.summary.arrays.items() if key[0] == assay}
    axes = {axis for array in arrays.values() for axis in array.axes}
    over = Variables(stored, "group", [group.label for group in groups], taken=axes)
    for key in _keys(groups):
        if key[0] == assay:
            for suffix, meaning in SUFFIXES.items():
                values = np.array([_part(group.summary.scores.get(key), suffix) for group in groups], dtype=np.float64)
                over.put(key[1] + suffix, values, meaning.format(f"{key[1]} of {assay}"))
    labels = {axis: _all_labels(axis, assay, groups) for axis in axes}
    for key, array in arrays.items():
        along = {axis: labels[axis] for axis in array.axes}
        if len({*array.axes}) < len(array.axes) or len(groups) * np.prod([*map(len, along.values())]) > LARGEST:
            continue
        for suffix, meaning in SUFFIXES.items():
            values = np.stack([_placed(group, key, suffix, along) for group in groups])
            unit = "1" if suffix == "_num_seeds" else array.unit
            long_name = meaning.format(array.description or key[1])
            over.put_array(key[1] + suffix, values, long_name, unit=unit, axes=list(along.items()))


def _write_alignment(stored: h5py.Group, groups: Sequence[SeedGroup]) -> None:
    """Write which latent of each model has which place, -1 beyond its latents; its sign and its agreement."""
    parts = [(group, aligned) for group in groups if (aligned := group.summary.aligned) is not None]
    most = max(aligned.order_MD.shape[1] for _, aligned in parts)
    models = Variables(stored, "model", [run for group, _ in parts for run in group.summary.runs], taken={"place"})
    models.put("group", np.array([group.label for group, _ in parts for _ in group.summary.runs]), "group")
    for name, field, missing, meaning in (
        ("latent", "order_MD", -1, "latent of the model in this place of the reference; -1: it has none"),
        ("sign", "sign_MD", 0, "-1 where its codes have the opposite sign"),
        ("agreement", "agreement_MD", np.nan, "similarity with the latent of the reference, from 0 to 1"),
    ):
        padded = [
            np.pad(part, ((0, 0), (0, most - part.shape[1])), constant_values=missing)
            for part in (getattr(aligned, field) for _, aligned in parts)
        ]
        models.put_array(name, np.concatenate(padded), meaning, unit="1", axes=[("place", np.arange(most))])


def _keys(groups: Sequence[SeedGroup]) -> list[Key]:
    """Return the scores that any group has."""
    return list(dict.fromkeys(key for group in groups for key in group.summary.scores))[:MOST_COLUMNS]


def _part(estimate: Estimate | None, suffix: str) -> float:
    """Return one of the four numbers of an estimate of a score; NaN of a group that lacks it."""
    return np.nan if estimate is None else float(estimate[list(SUFFIXES).index(suffix)])


def _placed(group: SeedGroup, key: Key, suffix: str, labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return one of the four arrays of an estimate, its values where the labels of all groups have them."""
    placed = np.full([len(along) for along in labels.values()], np.nan)
    array, estimate = group.summary.arrays.get(key, (None, None))
    if array is not None and estimate is not None and array.axes == tuple(labels):
        own = group.summary.labels[key[0]]
        places = [[list(along).index(label) for label in own[axis]] for axis, along in labels.items()]
        placed[np.ix_(*places)] = estimate[list(SUFFIXES).index(suffix)]
    return placed


def _all_labels(axis: str, assay: str, groups: Sequence[SeedGroup]) -> np.ndarray:
    """Return the labels of an axis that any group has, those of latents in order."""
    labels = [group.summary.labels.get(assay, {}).get(axis) for group in groups]
    every = list(dict.fromkeys(label for along in labels if along is not None for label in along.tolist()))
    return np.array(sorted(every) if all(isinstance(label, int) for label in every) else every)


def _setting(value: object) -> Setting:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


FACTS = ("group", "num_seeds", "runs", "repeated_seeds", "remark", "alignment", "reference", "agreement")
