"""`lrx status outputs/train/my-sweep`: how many runs of a tree are in which state, and how far or why.

On a terminal it is drawn again every two seconds until nothing runs or waits, or until Ctrl-C; elsewhere once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from lrx.cli.console import messages
from lrx.cli.console.tables import Runs
from lrx.core.text import clock
from lrx.runs.catalog import ORDER, Run, find_runs, summary

EVERY = 2.0  # seconds between two looks
QUIET = 5  # looks without a run that runs or waits, after which a sweep is over; a job takes seconds to begin
QUIETLY = ("done", "queued")  # states that are counted, and not listed


def status_command(top: Path, *, once: bool) -> None:
    """Show the runs below a folder. ValueError when there are none."""
    runs = find_runs(top)
    if once or not messages.is_watched() or not _is_going_on(runs):
        messages.show_runs(*_look(top, runs))
        return
    try:
        messages.watch_runs(_looks(top))
    except KeyboardInterrupt:
        return


def _looks(top: Path) -> Iterator[tuple[str, Runs]]:
    """What there is to show, every two seconds, until all is quiet."""
    quiet = 0
    while quiet < QUIET:
        runs = find_runs(top)
        quiet = 0 if _is_going_on(runs) else quiet + 1
        yield _look(top, runs)
        if quiet < QUIET:
            time.sleep(EVERY)


def _look(top: Path, runs: list[Run]) -> tuple[str, Runs]:
    """The counts, and name, state and words of each run that a person may want to see, the running ones first."""
    shown = sorted((run for run in runs if run.state not in QUIETLY or run.error), key=_order)
    heading = f"{top}: {summary(run.state for run in runs)}"
    return heading, [(run.name, run.state, words(run)) for run in shown]


def words(run: Run) -> str:
    """How far a run is that runs, at which pace, and what is left; why another one does not."""
    part = run.slowest
    if run.state != "running":
        return run.why
    inner = "" if part is run else f"{part.folder.name}  "
    if not part.status.steps:
        return f"{inner}{part.status.command}".strip()
    told = f"{inner}{part.status.step}/{part.status.steps}"
    if part.status.rate > 0:
        pace = f"{part.status.rate:,.0f}" if part.status.rate >= 100 else f"{part.status.rate:.3g}"
        told += f"  {pace} steps/s  {clock(part.status.seconds_left)} left"
    return told


def _order(run: Run) -> tuple[int, str]:
    return ORDER.index(run.state), run.name


def _is_going_on(runs: list[Run]) -> bool:
    return any(run.state in ("running", "queued") for run in runs)
