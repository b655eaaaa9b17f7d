"""Runs of a sweep: what its page keeps of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lrx.core.text import reason
from lrx.report import commands, run_contents
from lrx.report.run_summary import data_of
from lrx.runs.catalog import Run
from lrx.runs.grouping import current_config
from lrx.runs.scan_file import scan_file
from lrx.runs.seed_groups import IDENTITY
from lrx.storage import results
from lrx.storage.result_scan import COMPARED, ScannedAssay

MATRICES = ("response_matrix", "conditioned_response")
MOST_POINTS = 100  # of a curve
DRAWN = {(assay, array) for assay in MATRICES for array in ("matrix", "matrix_se")}
MEASURED = ("seed", "split")  # keys that the config of an assay has at its top
Key = tuple[str, str]  # of a score: the assay and the name


@dataclass(frozen=True)
class SweepRun:
    """Run of a sweep: its settings, its scores with their errors (NaN: none), and the remarks of its assays by name.

    assays: their scores and small arrays; measuring: what runs have in common beside the config for means over seeds to
    make sense. curves: rows of the training log, at most MOST_POINTS.
    """

    name: str
    state: str
    config: Mapping[str, str]
    scores: Mapping[Key, float]
    errors: Mapping[Key, float]
    data: str
    commands: list[commands.Command]
    remarks: Mapping[str, str] = field(default_factory=dict)
    assays: Mapping[str, ScannedAssay] = field(default_factory=dict)
    measuring: Mapping[str, object] = field(default_factory=dict)
    curves: list[dict[str, float]] = field(default_factory=list)


def read_run(run: Run) -> tuple[SweepRun | None, list[str]]:
    """Return what a sweep's page keeps of a run, None where it cannot be read, and a line for each of its faults."""
    try:
        return _read(run)
    except run_contents.UNREADABLE as error:
        return None, [f"{run.folder}: {reason(error)}"]


def _read(run: Run) -> tuple[SweepRun, list[str]]:
    assays: dict[str, ScannedAssay] = {}
    provenances: list[results.Provenance] = []
    faults: list[str] = []
    for file in sorted(run.result_files, key=lambda file: file.lstat().st_mtime):
        scanned = scan_file(file, large=COMPARED | DRAWN)
        if scanned.error:
            faults.append(f"{file.parent}/{scanned.error}")
            continue
        assays |= scanned.assays  # the newest file last, whose scores are shown
        provenances.append(scanned.provenance)
    config, measuring, unread = run_contents.read_configs(run, provenances)
    curves, damaged = run_contents.read_curves(run.trained) if run.trained else ([], [])
    faults += unread + damaged
    if run.state == "failed":
        faults.append(f"{run.name}: {run.why}")
    last = provenances[-1] if provenances else {}
    scores: dict[Key, float] = {}
    errors: dict[Key, float] = {}
    for name, assay in assays.items():
        for key, value in assay.scores.items():
            if not (key.endswith("_se") and key.removesuffix("_se") in assay.scores):
                scores[name, key] = value
                errors[name, key] = assay.scores.get(f"{key}_se", math.nan)
    return SweepRun(
        name=run.name,
        state=run.state,
        config=_config(run, config, measuring, last),
        scores=scores,
        errors=errors,
        data=data_of(config, last),
        commands=commands.commands_of_run(run, started=False),
        remarks={name: assay.remark for name, assay in assays.items() if assay.remark},
        assays=assays,
        measuring=_measuring(measuring, last) if provenances else {},
        curves=thinned(curves),
    ), faults


def thinned(curves: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Return at most MOST_POINTS rows of a log, spread over it, the last among them."""
    step = -(-len(curves) // MOST_POINTS)
    return list(curves[::-1][:: max(1, step)][::-1])


def _measuring(measuring: Mapping[str, str], last: results.Provenance) -> dict[str, object]:
    """Return the data and steps of the newest result, and the config that it was measured by."""
    config = current_config(measuring, {})
    own = {key if key.startswith("assay.") else f"assay.{key}": value for key, value in config.items()}
    return {**own, **{key: last[key] for key in IDENTITY if key in last}}


def _config(
    run: Run, training: Mapping[str, str], measuring: Mapping[str, str], last: results.Provenance
) -> Mapping[str, str]:
    """Return the config of the training, and for an assay's folder its own: `assay.num_samples`, `assay.seed`."""
    config = current_config(training, {key: str(value) for key, value in last.items()})
    if run.trained == run.folder:
        return config
    own = {f"assay.{key}" if key in MEASURED else key: value for key, value in measuring.items()}
    return {**config, **{key: value for key, value in own.items() if key.startswith("assay.")}}
