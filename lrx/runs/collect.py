"""Collect the runs of a tree: settings, last losses, every score and error, a row each.

`lrx collect outputs/train/my-sweep` writes collected.h5 and collected.csv there, and collected-seeds.csv, a row for
each group of runs that differ in their seed alone; see lrx.runs.table_hdf5 and lrx.runs.seeds_table. A file that is
half-written, foreign or hostile adds one line to the error of its row. Each file is replaced in one step.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lrx.core.checksum import sha256
from lrx.core.config_text import flatten, stated
from lrx.core.garbage_collection import without_garbage_collection
from lrx.core.text import one_line
from lrx.runs import run_folder
from lrx.runs.catalog import Run, find_runs
from lrx.runs.grouping import current_config, without_seed
from lrx.runs.run_files import check_file, read_config
from lrx.runs.scan_files import FileScan, scan_files
from lrx.runs.seed_groups import SeedGroup, groups_of_rows
from lrx.runs.seeds_table import SEEDS_START, write_seeds_csv
from lrx.runs.table import CSV_START, RANKED, TRAINED, Row, Setting, Table, limit_columns, write_csv
from lrx.runs.table_hdf5 import is_collected, write_hdf5
from lrx.storage import results
from lrx.storage.atomic import atomic_path
from lrx.storage.overwrite import check_target, has_near_start
from lrx.storage.result_scan import ScannedAssay
from lrx.training import metrics_log

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
    scans = scan_files([run.folder / results.FILENAME for run in _with_results(runs)], top)
    rows = [row for run in runs for row in _rows(run, top, scans)]
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


@dataclass
class _Part:
    """Content of one folder, of a run or of an assay that belongs to it."""

    run: Run
    settings: dict[str, Setting] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    assays: dict[str, ScannedAssay] = field(default_factory=dict)
    provenance: dict[str, str | int | float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def _with_results(runs: Iterable[Run]) -> list[Run]:
    """List the runs that have a results file, and their assays that have one, in the order in which they are read."""
    return [part for run in runs for part in (run, *run.assays) if results.FILENAME in part.files]


def _read(run: Run, top: Path, scans: Iterator[FileScan]) -> _Part:
    """Read the files of a folder; what cannot be read is an error of the part.

    scans: of results files, the next one that of this folder, if it has one.
    """
    part, log = _Part(run), run.folder / metrics_log.JSONL
    if run_folder.FILENAME in run.files:
        with _append_error(part.errors):
            part.settings = _as_settings(stated(read_config(run.folder, top)))
    if log.name in run.files:
        with _append_error(part.errors):
            check_file(log, top)
            part.losses = {one_line(key): value for key, value in metrics_log.last_row(log).items()}
    if results.FILENAME in run.files:
        scanned = next(scans)
        part.assays, part.provenance, part.foreign = scanned.assays, scanned.provenance, scanned.foreign
        part.errors += [scanned.error] if scanned.error else []
    return part


@contextmanager
def _append_error(errors: list[str]) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        errors.append(one_line(str(error)))


def _as_settings(flat: Mapping[str, object]) -> dict[str, Setting]:
    """Make values fit for a table: numbers, booleans and None; others become one line of text."""
    return {_setting_name(key): _setting(value) for key, value in flat.items()}


@functools.lru_cache(maxsize=4096)
def _setting_name(key: str) -> str:
    return one_line(key)


def _setting(value: object) -> Setting:
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return one_line(str(value))


def _rows(run: Run, top: Path, scans: Iterator[FileScan]) -> Iterator[Row]:
    """Yield the row of a run with its assays. An assay that it has twice has a row of its own the second time."""
    row = Row(run.name, run.state, run.why, one_line(run.status.command))
    repeated = []
    for part in (_read(inner, top, scans) for inner in (run, *run.assays)):
        if part.assays.keys() & row.assays.keys():
            repeated.append(part)
        else:
            _add(row, part, run)
    yield _current(row)
    for part in repeated:
        other = Row(part.run.name, part.run.state, part.run.why, one_line(part.run.status.command))
        _add(other, part, part.run)
        yield _current(other)


def _current(row: Row) -> Row:
    """Give the settings of a row the names and values that lrx has now."""
    row.training, row.measuring = (current_config(part, row.provenance) for part in (row.training, row.measuring))
    return row


def _add(row: Row, part: _Part, run: Run) -> None:
    """Add the content of a folder to a row."""
    inner = "" if part.run is run else f"{part.run.folder.name}: "
    for error in part.errors:
        row.add_error(inner + error)
    row.foreign += [inner + name for name in part.foreign]
    row.assays |= part.assays
    row.scores |= {name: assay.scores for name, assay in part.assays.items()}
    overrides: dict[str, Setting] = {}
    for word in part.run.status.overrides:
        key, _, value = one_line(word).lstrip("+~").partition("=")
        overrides[key] = value
    if part.run.is_assay:
        _join(row.measuring, {_assay_key(key): value for key, value in part.settings.items()})
        _join(row.overrides, {_assay_key(key): value for key, value in overrides.items()})
    else:
        row.training |= part.settings
        row.overrides |= overrides
    if part.losses:
        row.scores[TRAINED] = part.losses
    if not row.training and isinstance(text := part.provenance.get("checkpoint_config"), str):
        try:
            row.training |= _as_settings(stated(flatten(text)))
        except ValueError as error:
            row.add_error(f"the checkpoint's config {error}")
    provenance = {key: value for key, value in part.provenance.items() if key not in TEXTS}
    _join(row.provenance, {key: one_line(v) if isinstance(v, str) else v for key, v in provenance.items()})


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
    if not groups:
        return
    from lrx.metrics.udr import udr  # scipy.stats takes a second to import

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
