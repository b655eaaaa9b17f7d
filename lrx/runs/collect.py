"""Collect the runs of a tree: settings, last losses, every score and error, a row each.

`lrx collect outputs/train/my-sweep` writes collected.h5 and collected.csv there, and collected-seeds.csv, a row for
each group of runs that differ in their seed alone; see lrx.runs.table_hdf5 and lrx.runs.seeds_table. A file that is
half-written, foreign or hostile adds one line to the error of its row. Each file is replaced in one step.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from lrx.core.checksum import sha256
from lrx.core.config_text import flatten, stated
from lrx.core.garbage_collection import without_garbage_collection
from lrx.core.text import one_line
from lrx.core.validation import is_number
from lrx.metrics.udr import udr
from lrx.runs.catalog import Run, find_runs
from lrx.runs.folder_contents import FolderContents, as_settings, read_folder
from lrx.runs.grouping import current_config, without_seed
from lrx.runs.processes import FOLDERS, map_for
from lrx.runs.seed_groups import SeedGroup, groups_of_rows
from lrx.runs.seeds_table import SEEDS_START, write_seeds_csv
from lrx.runs.table import CSV_START, RANKED, TRAINED, Row, Setting, Table, limit_columns, write_csv
from lrx.runs.table_hdf5 import is_collected, write_hdf5
from lrx.storage import results
from lrx.storage.atomic import atomic_path
from lrx.storage.overwrite import check_target, has_near_start

MOST_LATENTS = 4096  # of a model whose codes are compared, as each pair of latents is
TEXTS = ("config", "checkpoint_config")  # provenance that becomes settings


@without_garbage_collection()
def collect(top: Path, out: Path) -> tuple[list[Row], list[SeedGroup]]:
    """Write the runs below a folder to `out`, an .h5 file, and to .csv files beside it; return rows and groups.

    ValueError when there are no runs, `out` is no .h5 file, or one of the three would replace a file of another kind.
    """
    check_target(out, ".h5", is_collected)
    table_file, seeds_file = out.with_suffix(".csv"), seeds_csv(out)
    for file, start in ((table_file, CSV_START), (seeds_file, SEEDS_START)):
        check_target(file, ".csv", has_near_start(start))
    runs = find_runs(top)
    folders = [(part.folder, part.files) for run in runs for part in (run, *run.assays)]
    with map_for(sum(results.FILENAME in files for _, files in folders)) as each:
        contents = iter(each(functools.partial(read_folder, top=top), folders, at_once=FOLDERS))
        rows = [row for run in runs for row in _rows(run, contents)]
    _rank(rows)
    limit_columns(rows)
    table, groups = Table(rows), groups_of_rows(rows)
    write_hdf5(out, table, groups)
    with atomic_path(table_file) as beside:
        write_csv(beside, table)
    with atomic_path(seeds_file) as beside:
        write_seeds_csv(beside, groups)
    return rows, groups


def seeds_csv(out: Path) -> Path:
    """Return the file of the table over seeds that belongs to a table of runs."""
    return out.with_name(f"{out.stem}-seeds.csv")


def _rows(run: Run, contents: Iterator[FolderContents]) -> Iterator[Row]:
    """Yield the row of a run with its assays. An assay that it has twice has a row of its own the second time.

    contents: of folders, the next ones those of the run and of its assays.
    """
    row = Row(run.name, run.state, run.why, one_line(run.status.command))
    repeated = []
    for part in (run, *run.assays):
        found = next(contents)
        if found.assays.keys() & row.assays.keys():
            repeated.append((part, found))
        else:
            _add(row, part, found, "" if part is run else f"{part.folder.name}: ")
    yield _current(row)
    for part, found in repeated:
        other = Row(part.name, part.state, part.why, one_line(part.status.command))
        _add(other, part, found, "")
        yield _current(other)


def _current(row: Row) -> Row:
    """Give the settings of a row the names and values that lrx has now."""
    row.training, row.measuring = (current_config(part, row.provenance) for part in (row.training, row.measuring))
    return row


def _add(row: Row, run: Run, part: FolderContents, inner: str) -> None:
    """Add the content of the folder of a run or an assay to a row; inner: how its errors begin."""
    for error in part.errors:
        row.add_error(inner + error)
    row.foreign += [inner + name for name in part.foreign]
    row.assays |= part.assays
    row.scores |= {name: assay.scores for name, assay in part.assays.items()}
    overrides: dict[str, Setting] = {}
    for word in run.status.overrides:
        key, _, value = one_line(word).lstrip("+~").partition("=")
        overrides[key] = value
    if run.is_assay:
        _join(row.measuring, {_assay_key(key): value for key, value in part.settings.items()})
        _join(row.overrides, {_assay_key(key): value for key, value in overrides.items()})
    else:
        row.training |= part.settings
        row.overrides |= overrides
    if part.losses:
        row.scores[TRAINED] = part.losses
    if not row.training and isinstance(text := part.provenance.get("checkpoint_config"), str):
        try:
            row.training |= as_settings(stated(flatten(text)))
        except ValueError as error:
            row.add_error(f"the checkpoint's config {error}")
    provenance = {key: value for key, value in part.provenance.items() if key not in TEXTS}
    _join(row.provenance, {key: one_line(v) if isinstance(v, str) else v for key, v in provenance.items()})
    measured, trained = provenance.get("trained_steps"), row.scores.get(TRAINED, {}).get("step")
    if run.is_assay and is_number(measured) and trained is not None and measured < trained:  # it was trained on since
        row.add_error(f"{inner}measured after {measured:,} steps, and the training is at {trained:,.0f}")


def _assay_key(key: str) -> str:
    """Name an assay's key beside those of its training: its `seed` is `assay.seed`."""
    return key if key.partition(".")[0] == "assay" else f"assay.{key}"


def _join(settings: dict[str, Setting], more: Mapping[str, Setting]) -> None:
    """Add values; where the assays of a run differ, both are listed."""
    for key, value in more.items():
        if key not in settings:
            settings[key] = value
        elif repr(settings[key]) != repr(value):
            settings[key] = one_line(f"{settings[key]}; {value}")


def _rank(rows: list[Row]) -> None:
    """Add UDR of runs whose configs differ in the seed alone, and whose codes are of the same images."""
    groups = defaultdict(list)
    for row in rows:
        members = row.assays["codes"].members if "codes" in row.assays else {}
        older = members.get("carrying", members.get("informative"))
        carrying_D = members.get("active_by_kl", older)
        if carrying_D is None or not {"codes", "image"} <= members.keys() or not row.training:
            continue
        codes_ND = members["codes"]
        reason = _why_unranked(codes_ND, carrying_D)
        if reason:
            row.add_error(f"its codes cannot be ranked: {reason}")
            continue
        images = sha256(members["image"].tobytes()), len(codes_ND)
        # of the observations alone, as in results of 0.1.0: codes do not depend on labels
        data_key = "observations_fingerprint" if "observations_fingerprint" in row.provenance else "dataset_fingerprint"
        data = row.provenance.get(data_key), row.provenance.get("trained_steps")
        groups[without_seed(row.training), images, repr(data)].append((row, codes_ND, carrying_D))
    for group in groups.values():
        ranked, codes, carrying = zip(*group, strict=True)
        scores, partners = udr(codes, carrying, [row.training.get("seed") for row in ranked])
        for row, score, count in zip(ranked, scores, partners, strict=True):
            row.scores[RANKED] = {"udr_spearman": float(score), "num_partners": float(count)}


def _why_unranked(codes_ND: np.ndarray, carrying_D: np.ndarray) -> str:
    """Return why codes cannot be compared with others; empty if they can."""
    if codes_ND.dtype.kind not in "iuf" or carrying_D.dtype.kind not in "biuf":
        return f"they are {codes_ND.dtype}, and which latents are carrying is {carrying_D.dtype}"
    if codes_ND.ndim != 2 or carrying_D.shape != codes_ND.shape[1:]:
        return f"they are of shape {codes_ND.shape}, and which latents are carrying {carrying_D.shape}"
    if len(codes_ND) < 2 or codes_ND.shape[1] > MOST_LATENTS:
        return f"they are of {len(codes_ND):,} images and {codes_ND.shape[1]:,} latents"
    return "" if np.isfinite(codes_ND).all() else "they are not finite"
