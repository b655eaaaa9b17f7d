"""Runs that are forgotten: folders of failed runs that hold no work, and planned runs that are missing or deleted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lrx.core.paths import CHECKPOINT, PART
from lrx.core.text import join_names
from lrx.runs import plan, status
from lrx.runs.catalog import Run
from lrx.storage import results

STATES = ("failed", plan.MISSING, plan.DELETED)  # that can be forgotten
WORK = {CHECKPOINT, PART, results.FILENAME, plan.FILENAME}  # files for which a failed run is kept


@dataclass(frozen=True)
class Forgettable:
    """Run in one of STATES, or a failed assay in it. kept: why it is not removed; empty where it is."""

    run: Run
    kept: str


def forgettable(runs: Sequence[Run], state: str) -> list[Forgettable]:
    """Return the runs in a state, with whether their folders can go. ValueError for a state that is not of STATES."""
    if state not in STATES:
        raise ValueError(f"--forget takes {', '.join(STATES[:-1])} or {STATES[-1]}, not {state!r}")
    parts = [run.slowest for run in runs if run.state == state]
    return [Forgettable(part, "" if state != "failed" else _work_in(part.folder)) for part in parts]


def forget(run: Run) -> None:
    """Remove the folder of a failed run, and a run from the plan of its sweep. BusyError when a process works there."""
    folder = run.folder
    if run.status.state == "failed":
        with status.lock(folder):
            now = status.read(folder)
            if now is None or now.state != "failed" or _work_in(folder):
                raise status.BusyError(f"{folder} was started again")
            shutil.rmtree(folder)
    for sweep in (folder.parent, folder.parent.parent):
        plan.forget(sweep, {folder.relative_to(sweep).as_posix()})


def _work_in(folder: Path) -> str:
    """Return what a failed run holds beside its status, config and log, and the runs below it; empty for nothing."""
    own, below = list[str](), list[str]()
    for where, folders, files in os.walk(folder):
        folders.sort()
        if where == os.fspath(folder):
            own = sorted(WORK & {*files})
        elif {*WORK, status.FILENAME} & {*files}:
            below.append(os.path.relpath(where, folder))
    return join_names([*own, *below])
