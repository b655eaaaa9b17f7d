"""What a person reads while lrx works: notes on standard error, results on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from rich.console import Group
from rich.live import Live

from lrx.cli.console import matrix_table
from lrx.cli.console.stdout import Console, spelling
from lrx.cli.console.tables import Runs, runs_table, score_table, whole_file
from lrx.cli.console.wrap import width_of, wrap_text
from lrx.core.text import humanize as spaced
from lrx.core.text import printable, with_error

if TYPE_CHECKING:
    from lrx.core.types import AssayResult  # which imports torch, and a table of runs needs none
    from lrx.storage.results import Results

WIDEST_TABLE = 10  # latents that fit 80 columns with their errors
MOST_RUNS = 20  # rows of a table of runs that is not as high as a terminal

ERRORS = Console(stderr=True, highlight=False)


@dataclass
class _Job:
    """A job of a sweep: the name of its folder, the scores that were to be shown, and whether work has begun."""

    name: str
    came: list[str] = field(default_factory=list)
    begun: bool = False


_jobs: list[_Job] = []  # the one that this process does now, if any


@contextmanager
def job(name: str, what: str) -> Iterator[list[str]]:
    """At the end of the block one line says what came of this job of a sweep, instead of its tables and last notes.

    Yields what that line will say. Progress, and notes before any work, come after the job's name: others may run too.
    """
    this = _Job(name)
    _jobs.append(this)
    try:
        yield this.came
    finally:
        _jobs.pop()
    _write(sys.stdout, f"{name}  {what}: {'; '.join(this.came) or 'done'}")


def note(text: str) -> None:
    """One line of information, on standard error; not of a job of a sweep that has worked, which ends in a line."""
    if not any(job.begun for job in _jobs):
        tell(text)


def tell(text: str) -> None:
    """A line on standard error, which in a sweep begins with the name of the job."""
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip(" "))]
        _write(sys.stderr, "".join(f"{job.name}  " for job in _jobs) + indent + printable(line))


def begin() -> None:
    """The work of a job begins: from now on its notes are left out."""
    for job in _jobs:
        job.begun = True


def warn(text: str) -> None:
    """One line that a person should not miss, on standard error."""
    name = "".join(f"{job.name}: " for job in _jobs)
    _write(sys.stderr, wrap_text(f"lrx: warning: {name}{printable(text)}", sys.stderr))


def _write(stream: TextIO, line: str) -> None:
    """A line in one piece, so that those of other processes do not run into it."""
    stream.write(line + "\n")
    stream.flush()


def show_results(results: Mapping[str, AssayResult]) -> None:
    """The matrix of a single result, each value above its standard error, and all scores, on standard output.

    In a job of a sweep: the first score of each, for the line of the job.
    """
    if _jobs:
        for name, result in results.items():
            first = next(iter(result.scores.items()), None)
            score = f", {spaced(first[0])} {with_error(first[1], result.scores.get(f'{first[0]}_se'))}" if first else ""
            _jobs[-1].came.append(spaced(name) + score)
        return
    console = _screen()
    if len(results) == 1:
        ((name, result),) = results.items()
        if "matrix" in result.arrays and max(result.arrays["matrix"].values.shape) <= WIDEST_TABLE:
            console.print(*matrix_table.heat_tables(name, result, matrix_table.across(result, console.width)))
    console.print(score_table(results))


def show_file(stored: Results) -> None:
    """All that a results file says, on standard output."""
    console = _screen()
    for part in whole_file(stored, console.width):
        console.print(part)


def show_lines(lines: Iterable[str]) -> None:
    """Lines on standard output, without what a terminal would obey."""
    for line in lines:
        indent = line[: len(line) - len(line.lstrip(" "))]
        _write(spelling(), indent + printable(line))


def show_runs(heading: str, runs: Runs) -> None:
    """A line that says how runs are, and a row for each of some, on standard output."""
    console = _screen()
    console.print(*runs_table(heading, runs, most=MOST_RUNS, width=console.width), sep="\n")


def watch_runs(looks: Iterator[tuple[str, Runs]]) -> None:
    """The same on a terminal, in place of what was shown before, with as many rows as fit."""
    console = _screen()
    with Live(console=console, auto_refresh=False) as live:
        for heading, runs in looks:
            rows = max(1, console.height - 4)
            live.update(Group(*runs_table(heading, runs, most=rows, width=console.width)), refresh=True)


def _screen() -> Console:
    """Standard output: a terminal, whose width may change, or a pipe, which has that of COLUMNS or 80."""
    out = spelling()
    return Console(highlight=False, width=None if out.isatty() else width_of(out) or 80)


def is_watched() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()
