"""What a person reads while lrx works: notes and progress on standard error, results on standard output.

On a terminal progress is drawn by rich; elsewhere it is one plain line every 30 seconds, which suits a log file.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lrx.terminal import heat
from lrx.terminal.screen import Console, spelling
from lrx.terminal.shell import fitted, width_of
from lrx.terminal.tables import Runs, runs_table, score_table, whole_file
from lrx.wording import clock, printable, with_error
from lrx.wording import words as spaced

if TYPE_CHECKING:
    from lrx.results import Results
    from lrx.types import AssayResult  # which imports torch, and a table of runs needs none

LINE_EVERY = 30.0  # seconds between two lines of a log
WIDEST_TABLE = 10  # latents that fit 80 columns with their errors
MOST_RUNS = 20  # rows of a table of runs that is not as high as a terminal

_err = Console(stderr=True, highlight=False)


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
        _tell(text)


def _tell(text: str) -> None:
    """A line on standard error, which in a sweep begins with the name of the job."""
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip(" "))]
        _write(sys.stderr, "".join(f"{job.name}  " for job in _jobs) + indent + printable(line))


def _begin() -> None:
    for job in _jobs:
        job.begun = True


def warn(text: str) -> None:
    """One line that a person should not miss, on standard error."""
    name = "".join(f"{job.name}: " for job in _jobs)
    _write(sys.stderr, fitted(f"lrx: warning: {name}{printable(text)}", sys.stderr))


def _write(stream: TextIO, line: str) -> None:
    """A line in one piece, so that those of other processes do not run into it."""
    stream.write(line + "\n")
    stream.flush()


class TrainProgress:
    """Steps, images per second, time left and the newest losses of a training run."""

    def __init__(self, steps: int, batch_size: int) -> None:
        self._steps, self._batch_size = steps, batch_size
        self._done = self._first = 0
        self._compiles = False
        self._began = self._newest = self._last_line = time.monotonic()
        self._losses = ""
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[losses]}"),
            console=_err,
        )
        self._task = self._bar.add_task("training", total=steps, rate="", losses="")

    def __enter__(self) -> TrainProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar.live.is_started:
            self._bar.stop()

    def start(self, step: int, *, compiles: bool = False) -> None:
        """Training begins, or goes on, at this step; compiles: the first one compiles, and the rate leaves it out."""
        _begin()
        self._done = self._first = step
        self._compiles = compiles
        self._began = self._newest = self._last_line = time.monotonic()
        if step:
            _tell(f"resuming at step {step} of {self._steps}")
        if _err.is_terminal:
            self._bar.start()

    @property
    def rate(self) -> float:
        """Steps a second from when training began or went on, or had compiled, to the newest step."""
        return (self._done - self._first) / max(self._newest - self._began, 1e-9)

    @property
    def seconds_left(self) -> float:
        """What the rest takes at this rate."""
        return (self._steps - self._done) / max(self.rate, 1e-9)

    def step(self, done: int) -> None:
        """One more step is done."""
        self._done = done
        self._newest = now = time.monotonic()
        if self._compiles:
            _tell(f"compiled in {now - self._began:.0f} s")
            self._compiles, self._first, self._began, self._last_line = False, done, now, now
        rate = self.rate
        self._bar.update(self._task, completed=done, rate=f"{rate:.1f} steps/s", losses=self._losses.split("  ")[0])
        if not _err.is_terminal and now - self._last_line >= LINE_EVERY:
            self._last_line = now
            left = clock(self.seconds_left)
            images = rate * self._batch_size
            _tell(f"step {done}/{self._steps}  {rate:.1f} steps/s  {images:.0f} images/s  {left} left  {self._losses}")

    def log(self, scalars: Mapping[str, float]) -> None:
        """The newest losses, shown until the next ones come."""
        self._losses = "  ".join(
            f"{key} {scalars[key]:.4g}" for key in ("loss", "reconstruction", "kl") if key in scalars
        )


class WorkProgress:
    """Progress of one piece of work that calls back with (done, total)."""

    def __init__(self, what: str) -> None:
        self._what, self._last_line = what, time.monotonic()
        self._bar = Progress(
            TextColumn(what),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            console=_err,
            transient=True,
        )
        self._task = self._bar.add_task(what, total=None)
        self._begun = False

    def __enter__(self) -> Callable[[int, int], None]:
        return self._update

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._begun and _err.is_terminal:
            self._bar.stop()

    def _update(self, done: int, total: int) -> None:
        if not self._begun:
            self._begun = True
            _begin()
            if _err.is_terminal:
                self._bar.start()
            else:
                _tell(self._what)
        if _err.is_terminal:
            self._bar.update(self._task, completed=done, total=total)
        elif time.monotonic() - self._last_line >= LINE_EVERY:
            self._last_line = time.monotonic()
            _tell(f"{self._what}: {100 * done // total} %")


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
            console.print(*heat.heat_tables(name, result, heat.across(result, console.width)))
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
