"""Count the runs at or below FOLDER that are queued, running, interrupted, failed
and done, and list those that run, with their pace and the time that is left,
and those that failed or were interrupted. On a terminal it is drawn again every
two seconds until nothing runs or waits, unless --once is given; Ctrl-C ends it,
and never a run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from lrx.cli.console import messages
from lrx.cli.console.tables import Runs
from lrx.core.text import clock
from lrx.runs.catalog import ORDER, Run, find_runs, summary

EVERY = 2.0  # seconds between two refreshes
QUIET = 5  # refreshes without a run that runs or waits, after which a sweep is over; a job takes seconds to begin
NOT_LISTED = ("done", "queued")  # states that are only counted


def status_command(top: Path, *, once: bool = False) -> None:
    """Show the state of the runs of a folder. ValueError when there are none."""
    runs = find_runs(top)
    if once or not messages.is_terminal() or not _is_going_on(runs):
        messages.show_runs(*_table(top, runs))
        return
    try:
        messages.watch_runs(_refreshes(top))
    except KeyboardInterrupt:
        return


def _refreshes(top: Path) -> Iterator[tuple[str, Runs]]:
    """Yield the table every two seconds, until nothing runs or waits."""
    quiet = 0
    while quiet < QUIET:
        runs = find_runs(top)
        quiet = 0 if _is_going_on(runs) else quiet + 1
        yield _table(top, runs)
        if quiet < QUIET:
            time.sleep(EVERY)


def _table(top: Path, runs: list[Run]) -> tuple[str, Runs]:
    """Return the counts, and name, state and description of each run that is listed, the running ones first."""
    shown = sorted((run for run in runs if run.state not in NOT_LISTED or run.error), key=_order)
    heading = f"{top}: {summary(run.state for run in runs)}"
    return heading, [(run.name, run.state, description(run)) for run in shown]


def description(run: Run) -> str:
    """Return the step, pace and time left of a run that runs; of another one, why it does not."""
    part = run.slowest
    if run.state != "running":
        return run.why
    inner = "" if part is run else f"{part.folder.name}  "
    if not part.status.steps:
        return f"{inner}{part.status.command}".strip()
    progress = f"{inner}{part.status.step}/{part.status.steps}"
    if part.status.rate > 0:
        pace = f"{part.status.rate:,.0f}" if part.status.rate >= 100 else f"{part.status.rate:.3g}"
        progress += f"  {pace} steps/s  {clock(part.status.seconds_left)} left"
    return progress


def _order(run: Run) -> tuple[int, str]:
    return ORDER.index(run.state), run.name


def _is_going_on(runs: list[Run]) -> bool:
    return any(run.state in ("running", "queued") for run in runs)
