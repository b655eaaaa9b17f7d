"""What a person reads while lrx works: notes and progress on standard error, results on standard output.

On a terminal progress is drawn by rich; elsewhere it is one plain line every 30 seconds, which suits a log file.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from lrx.types import AssayResult

LINE_EVERY = 30.0  # seconds between two lines of a log
WIDEST_TABLE = 10  # latents that fit 80 columns with their errors

_err = Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """One line of information, on standard error."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """One line that a person should not miss, on standard error."""
    print(f"lrx: warning: {text}", file=sys.stderr, flush=True)


class TrainProgress:
    """Steps, images per second, time left and the newest losses of a training run."""

    def __init__(self, steps: int, batch_size: int) -> None:
        self._steps, self._batch_size = steps, batch_size
        self._done = self._first = 0
        self._began = self._last_line = time.monotonic()
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

    def start(self, step: int) -> None:
        """Training begins, or goes on, at this step."""
        self._done = self._first = step
        self._began = self._last_line = time.monotonic()
        if step:
            note(f"resuming at step {step} of {self._steps}")
        if _err.is_terminal:
            self._bar.start()

    @property
    def rate(self) -> float:
        """Steps a second since training began or went on."""
        return (self._done - self._first) / max(time.monotonic() - self._began, 1e-9)

    @property
    def seconds_left(self) -> float:
        """What the rest takes at this rate."""
        return (self._steps - self._done) / max(self.rate, 1e-9)

    def step(self, done: int) -> None:
        """One more step is done."""
        self._done = done
        now, rate = time.monotonic(), self.rate
        self._bar.update(self._task, completed=done, rate=f"{rate:.1f} steps/s", losses=self._losses.split("  ")[0])
        if not _err.is_terminal and now - self._last_line >= LINE_EVERY:
            self._last_line = now
            left = _clock(self.seconds_left)
            images = rate * self._batch_size
            note(f"step {done}/{self._steps}  {rate:.1f} steps/s  {images:.0f} images/s  {left} left  {self._losses}")

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
            if _err.is_terminal:
                self._bar.start()
            else:
                note(self._what)
        if _err.is_terminal:
            self._bar.update(self._task, completed=done, total=total)
        elif time.monotonic() - self._last_line >= LINE_EVERY:
            self._last_line = time.monotonic()
            note(f"{self._what}: {100 * done // total} %")


def show_results(results: Mapping[str, AssayResult]) -> None:
    """The matrix of a single result, each value above its standard error, and all scores, on standard output."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 80)
    if len(results) == 1:
        ((name, result),) = results.items()
        if "matrix" in result.arrays and max(result.arrays["matrix"].values.shape) <= WIDEST_TABLE:
            console.print(_matrix_table(name, result))
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, result in results.items():
        if len(results) > 1:
            table.add_row(f"[bold]{_words(name)}[/]")
        for key, value in result.scores.items():
            if not key.endswith("_se"):
                error = result.scores.get(f"{key}_se")
                table.add_row(_words(key), f"{value:.4g}" + (f" ± {error:.2g}" if error is not None else ""))
    console.print(table)


def _matrix_table(name: str, result: AssayResult) -> Table:
    matrix = result.arrays["matrix"]
    rows, columns = (result.coordinates[axis] for axis in matrix.axes)
    error = result.arrays["matrix_se"].values if "matrix_se" in result.arrays else np.full(matrix.values.shape, np.nan)
    table = Table(
        title=f"{_words(name)} ± standard error",
        caption=f"row: {matrix.axes[0]}, column: {matrix.axes[1]}",
        padding=(0, 0, 0, 1),
    )
    table.add_column("", overflow="fold")  # names of factors take two lines rather than lose their end
    for column in columns:
        table.add_column(str(column), justify="right")
    for label, values, errors in zip(rows, matrix.values, error, strict=True):
        cells = [
            f"[{'bold' if value > 0.25 else 'dim'}]{value:.2f}[/]\n[dim]{se:.3f}[/]"
            for value, se in zip(values, errors, strict=True)
        ]
        table.add_row(_words(str(label)), *cells)
    return table


def _words(name: str) -> str:
    return name.replace("_", " ")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
