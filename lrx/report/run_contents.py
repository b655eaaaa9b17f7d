"""Contents of a run: its configs, training curves and results, and a line for each file that cannot be read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lrx.core.config_text import flatten, stated
from lrx.core.text import join_names, one_line
from lrx.runs import run_folder
from lrx.runs.catalog import Run
from lrx.runs.run_files import check_file, read_config
from lrx.storage import results
from lrx.training import metrics_log

UNREADABLE = (*results.UNREADABLE, OverflowError)  # numbers of a log may be of any size


@dataclass(frozen=True)
class Contents:
    """Content of the files of a run.

    config, measuring: of the training and of the newest result, values as text. curves: rows of the training log.
    results: by file, newest last. faults: a line for each file that cannot be read.
    """

    run: Run
    config: Mapping[str, str]
    measuring: Mapping[str, str]
    curves: list[dict[str, float]]
    results: Mapping[Path, results.Results]
    faults: tuple[str, ...]


def read(run: Run, *, strict: bool = False) -> Contents:
    """Read a run that `lrx.runs.catalog.find_measured` gave. strict: ValueError for a results file that is damaged."""
    by_file: dict[Path, results.Results] = {}
    faults: list[str] = []
    for file in sorted(run.result_files, key=lambda file: file.lstat().st_mtime):
        try:
            check_file(file, file.parent)
            by_file[file], missing = _with_provenance(results.read(file), file)
            faults += missing
            foreign = by_file[file].foreign
            faults += [f"{file}: left out what lrx did not write: {join_names(foreign)}"] if foreign else []
        except UNREADABLE as error:
            if strict:
                raise
            faults.append(str(error))
    config, measuring, unread = read_configs(run, [stored.provenance for stored in by_file.values()])
    curves, damaged = read_curves(run.trained) if run.trained else ([], [])
    return Contents(run, config, measuring, curves, by_file, (*faults, *unread, *damaged))


def read_configs(
    run: Run, provenances: Sequence[results.Provenance]
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Return the configs of the training and of the newest result, and a line for each that cannot be read.

    provenances: of the results of the run, newest last.
    """
    configs: list[dict[str, str]] = []
    faults = []
    for reader in (_training_config, _measuring_config):
        try:
            configs.append({key: str(value) for key, value in stated(reader(run, provenances)).items()})
        except UNREADABLE as error:
            configs.append({})
            faults.append(f"{run.trained or run.folder}: {one_line(str(error))}")
    return configs[0], configs[1], faults


def _training_config(run: Run, provenances: Sequence[results.Provenance]) -> Mapping[str, object]:
    """Return the config of the training, as its results or else its folder say; empty where neither does."""
    texts = [provenance["checkpoint_config"] for provenance in provenances if "checkpoint_config" in provenance]
    if texts:
        return _flat(str(texts[-1]), "checkpoint_config")
    if run.trained is None or not (run.trained / run_folder.FILENAME).is_file():
        return {}
    return read_config(run.trained, run.trained)


def _measuring_config(_: Run, provenances: Sequence[results.Provenance]) -> Mapping[str, object]:
    """Return the config of the newest result; empty where there is none."""
    return _flat(str(provenances[-1].get("config", "")), "config") if provenances else {}


def _flat(text: str, name: str) -> Mapping[str, object]:
    try:
        return flatten(text)
    except ValueError as error:
        raise ValueError(f"the provenance {name} {error}") from error


def _with_provenance(stored: results.Results, file: Path) -> tuple[results.Results, list[str]]:
    """Replace provenance of assays that is no mapping by that of the file, and list a line for each."""
    wrong = [name for name, entries in stored.provenance_of.items() if not isinstance(entries, Mapping)]
    checked = {name: stored.provenance if name in wrong else entry for name, entry in stored.provenance_of.items()}
    lines = [f"{file}: the provenance of {name} is no mapping; that of the file is shown" for name in wrong]
    return replace(stored, provenance_of=checked), lines


def read_curves(folder: Path) -> tuple[list[dict[str, float]], list[str]]:
    """Return the rows of a run folder's log, steps and values as numbers, and a line for what is none."""
    path = folder / metrics_log.JSONL
    if not path.exists():
        return [], []
    try:
        check_file(path, folder)
        logged = metrics_log.read(folder)
    except UNREADABLE as error:
        return [], [f"{folder}: {one_line(str(error))}"]
    numbers = [{key: value for key in row if (value := _number(row[key])) is not None} for row in logged]
    shown = ["loss" in row and math.isfinite(row.get("step", math.nan)) for row in numbers]
    damaged = sum(
        not is_shown or len(row) < len(every) for is_shown, row, every in zip(shown, numbers, logged, strict=True)
    )
    rows = [row for is_shown, row in zip(shown, numbers, strict=True) if is_shown]
    return rows, [f"{path}: {damaged:,} of {len(logged):,} rows hold what is no number"] if damaged else []


def _number(value: object) -> float | None:
    """Return a value of a log that a curve can show, NaN and infinities among them."""
    try:
        return value if isinstance(value, float) else float(value) if isinstance(value, int) else None
    except OverflowError:
        return None
