"""Runs that are forgotten: folders of failed runs that hold no work, and planned runs that are missing or deleted."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from lrx.core.paths import CHECKPOINT, PART
from lrx.runs import plan, status
from lrx.runs.catalog import Run
from lrx.storage import results

STATES = ("failed", plan.MISSING, plan.DELETED)  # that can be forgotten
WORK = {CHECKPOINT, PART, results.FILENAME}  # files for which a failed run is kept


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
    return [Forgettable(part, "" if state != "failed" else _work_in(part)) for part in parts]


def forget(run: Run) -> None:
    """Remove the folder of a failed run, and a run from the plan of its sweep. BusyError when a process works there."""
    folder = run.folder
    if run.status.state == "failed":
        with status.lock(folder):
            now = status.read(folder)
            if now is None or now.state != "failed":
                raise status.BusyError(f"{folder} was started again")
            shutil.rmtree(folder)
    for sweep in (folder.parent, folder.parent.parent):
        plan.forget(sweep, {folder.relative_to(sweep).as_posix()})


def _work_in(run: Run) -> str:
    """Return what a failed run holds beside its status, config and log; empty for nothing."""
    files = sorted(run.files & WORK)
    inner = sorted(path.parent.name for path in run.folder.glob(f"*/{status.FILENAME}"))
    return ", ".join([*files, *inner])
