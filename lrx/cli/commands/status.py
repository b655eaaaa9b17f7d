"""Count the runs at or below FOLDER that are queued, running, interrupted, failed
and done, and list those that run, with their pace and the time that is left,
and those that failed, were interrupted, or are missing of what a sweep was
asked for: not begun when it was stopped, or deleted since. On a terminal it is
drawn again every two seconds until nothing runs or waits, unless --once is
given; Ctrl-C ends it, and never a run.
--forget failed says which folders of failed runs hold no checkpoint and no
result, and removes them; --forget missing and --forget deleted take such runs
out of the plan of their sweep. On a terminal it asks first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from lrx.cli.console import messages
from lrx.cli.console.tables import Runs
from lrx.core.text import clock
from lrx.runs.catalog import ORDER, Run, find_runs, summary
from lrx.runs.forget import forget, forgettable

EVERY = 2.0  # seconds between two refreshes
QUIET = 5  # refreshes without a run that runs or waits, after which a sweep is over; a job takes seconds to begin
NOT_LISTED = ("done", "queued")  # states that are only counted


def status_command(top: Path, *, once: bool = False, forget: str = "") -> None:
    """Show the state of the runs of a folder, or forget those in one state. ValueError when there are none."""
    runs = find_runs(top)
    if forget:
        _forget(runs, forget)
        return
    if once or not messages.is_terminal() or not _is_going_on(runs):
        messages.show_runs(*_table(top, runs))
        return
    try:
        messages.watch_runs(_refreshes(top))
    except KeyboardInterrupt:
        return


def _forget(runs: list[Run], state: str) -> None:
    """Say what is removed, ask on a terminal, and remove it."""
    chosen = forgettable(runs, state)
    gone = [each.run for each in chosen if not each.kept]
    what = "without checkpoint and result, whose folders are removed" if state == "failed" else "no longer planned"
    lines = [f"{each.run.folder}: kept, as it holds {each.kept}; remove it yourself" for each in chosen if each.kept]
    lines += [f"{len(gone):,} {state}, {what}:" if gone else f"nothing to forget: no run is {state}, without work"]
    messages.show_lines([*lines, *(f"  {run.folder}{f': {run.why}' if run.why else ''}" for run in gone)])
    if gone and messages.is_terminal() and not _is_agreed():
        return
    for run in gone:
        try:
            forget(run)
        except (ValueError, OSError) as error:
            messages.warn(f"{error}; it is kept")


def _is_agreed() -> bool:
    """Ask on the terminal; Ctrl-D, or no input at all, is no."""
    try:
        return input("forget them? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        messages.show_lines([""])
        return False


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
