"""Messages and results on the terminal: notes on standard error, results on standard output.

In a job of a sweep, lines begin with the job's name, and its results are the one line that it ends with.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group
from rich.live import Live

from lrx.cli.console import matrix_table, summary
from lrx.cli.console.stdout import ascii_fallback, stdout_console
from lrx.cli.console.tables import Runs, file_parts, runs_table, score_table, seeds_table
from lrx.cli.console.wrap import wrap_text
from lrx.core.text import printable

if TYPE_CHECKING:
    from lrx.core.types import AssayResult  # which imports torch, and a table of runs needs none
    from lrx.runs.over_seeds import Key
    from lrx.runs.seed_groups import SeedGroup
    from lrx.storage.results import Results

WIDEST_TABLE = 10  # latents that fit 80 columns with their errors
MOST_RUNS = 20  # rows of a table of runs that is not as high as a terminal

ERRORS = Console(stderr=True, highlight=False)


@dataclass
class Job:
    """Job of a sweep. name: of its folder; summary: parts of its last line; started: whether its work has begun."""

    name: str
    summary: list[str] = field(default_factory=list)
    started: bool = False


_current_job: ContextVar[Job | None] = ContextVar("_current_job", default=None)


@contextmanager
def job(name: str, command: str) -> Iterator[list[str]]:
    """Run the block as a job of a sweep: one line at its end replaces its tables and last notes.

    Yields the parts of that line, to which the block may add.
    """
    current = Job(name)
    token = _current_job.set(current)
    try:
        yield current.summary
    finally:
        _current_job.reset(token)
    _write(sys.stdout, f"{printable(name)}  {command}: {printable('; '.join(current.summary)) or 'done'}")


def start_work() -> None:
    """Mark the start of the job's work: from now on its notes are left out."""
    current = _current_job.get()
    if current is not None:
        current.started = True


def note(text: str) -> None:
    """Print information on standard error, unless the work of a job has started, which ends in a line."""
    current = _current_job.get()
    if current is None or not current.started:
        progress_line(text)


def progress_line(text: str) -> None:
    """Print lines on standard error, after the name of the job."""
    for line in text.splitlines():
        _write(sys.stderr, _job_prefix("  ") + _printable_line(line))


def warn(text: str) -> None:
    """Print a warning of one line on standard error."""
    _write(sys.stderr, wrap_text(f"lrx: warning: {_job_prefix(': ')}{printable(text)}", sys.stderr))


def show_results(results: Mapping[str, AssayResult]) -> None:
    """Print what answers and the main scores of several results, or the scores of a single one and its matrix with
    standard errors, on standard output.

    In a job of a sweep, the scores that say most go to the job's last line instead.
    """
    current = _current_job.get()
    if current is not None:
        current.summary += summary.job_scores(results)
        return
    console = stdout_console()
    parts = [*summary.answer_parts(results, console.width)]
    if len(results) == 1:
        ((name, result),) = results.items()
        if "matrix" in result.arrays and max(result.arrays["matrix"].values.shape) <= WIDEST_TABLE:
            parts += matrix_table.heat_tables(name, result, console.width)
        parts.append(score_table(result))
    else:
        measured = {name: result for name, result in results.items() if not result.is_empty}
        parts.append(summary.score_lines(measured, console.width))
    console.print(*parts, sep="\n")


def show_file(stored: Results, *, whole: bool) -> None:
    """Print a results file on standard output; of several assays a summary, unless `whole`."""
    console = stdout_console()
    console.print(*file_parts(stored, console.width, whole=whole), sep="\n")


def show_lines(lines: Iterable[str]) -> None:
    """Print lines on standard output, without control characters."""
    for line in lines:
        _write(ascii_fallback(), _printable_line(line))


def show_runs(heading: str, runs: Runs) -> None:
    """Print a heading and a table of runs on standard output."""
    console = stdout_console()
    console.print(*runs_table(heading, runs, most=MOST_RUNS, width=console.width), sep="\n")


def show_over_seeds(groups: Sequence[SeedGroup], *, is_main: Callable[[Key], bool]) -> None:
    """Print the main scores of groups of models that differ in their seed alone, on standard output."""
    if groups:
        console = stdout_console()
        console.print(*seeds_table(groups, most=MOST_RUNS, is_main=is_main), sep="\n")


def watch_runs(refreshes: Iterator[tuple[str, Runs]]) -> None:
    """Print headings and tables of runs on the terminal, each in place of the one before, as many rows as fit."""
    console = stdout_console()
    with Live(console=console, auto_refresh=False) as live:
        for heading, runs in refreshes:
            rows = max(1, console.height - 4)
            live.update(Group(*runs_table(heading, runs, most=rows, width=console.width)), refresh=True)


def is_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


def _job_prefix(separator: str) -> str:
    current = _current_job.get()
    return "" if current is None else printable(current.name) + separator


def _printable_line(line: str) -> str:
    """Return a line without control characters, its indent kept."""
    return line[: len(line) - len(line.lstrip(" "))] + printable(line)


def _write(stream: TextIO, line: str) -> None:
    """Write a line in one piece, so that lines of other processes do not run into it."""
    stream.write(line + "\n")
    stream.flush()
