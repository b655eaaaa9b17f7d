"""Progress of long work on standard error: a bar on a terminal, elsewhere a plain line every 30 seconds, for a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lrx.cli.console.messages import ERRORS, note, progress_line, start_work
from lrx.core.text import clock
from lrx.training.observers import Row

LINE_EVERY = 30.0  # seconds between two lines of a log
RECORD_EVERY = 2.0  # seconds between two records of the status


class TrainProgress:
    """Observer of a training run that shows steps, images per second, time left and the newest losses.

    compiles: the first step compiles networks; the rate leaves it out.
    """

    def __init__(self, steps: int, batch_size: int, *, compiles: bool = False) -> None:
        self._steps, self._batch_size = steps, batch_size
        self._done = self._first = 0
        self._compiles = compiles
        self._began = self._newest = self._last_line = time.monotonic()
        self._losses = ""
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[losses]}"),
            console=ERRORS,
        )
        self._task = self._bar.add_task("training", total=steps, rate="", losses="")

    def start(self, step: int) -> None:
        """Start the clock, and on a terminal the bar; a resumed run says so."""
        start_work()
        self._done = self._first = step
        self._began = self._newest = self._last_line = time.monotonic()
        if step:
            progress_line(f"resuming at step {step} of {self._steps}")
        if ERRORS.is_terminal:
            self._bar.start()

    @property
    def rate(self) -> float:
        """Steps per second from the start, or the end of compiling, to the newest step."""
        return (self._done - self._first) / max(self._newest - self._began, 1e-9)

    @property
    def seconds_left(self) -> float:
        """Seconds that the remaining steps take at this rate."""
        return (self._steps - self._done) / max(self.rate, 1e-9)

    def log(self, step: int, row: Row) -> None:
        """Show these losses until the next ones."""
        self._losses = "  ".join(f"{key} {row[key]:.4g}" for key in ("loss", "reconstruction", "kl") if key in row)

    def step(self, n: int) -> None:
        """Move the bar, or write a line to a log when one is due."""
        self._done = n
        self._newest = now = time.monotonic()
        if self._compiles:
            progress_line(f"compiled in {now - self._began:.0f} s")
            self._compiles, self._first, self._began, self._last_line = False, n, now, now
        rate = self.rate
        self._bar.update(self._task, completed=n, rate=f"{rate:.1f} steps/s", losses=self._losses.split("  ")[0])
        if not ERRORS.is_terminal and now - self._last_line >= LINE_EVERY:
            self._last_line = now
            left = clock(self.seconds_left)
            images = rate * self._batch_size
            progress_line(
                f"step {n}/{self._steps}  {rate:.1f} steps/s  {images:.0f} images/s  {left} left  {self._losses}"
            )

    def close(self) -> None:
        """Take the bar off the terminal's live display."""
        if self._bar.live.is_started:
            self._bar.stop()


class WorkProgress:
    """Progress of one piece of work, which calls the object of the `with` block with (done, total).

    record: called with the keywords step, steps, rate and seconds_left, at first, at the end, and now and then.
    """

    def __init__(self, title: str, record: Callable[..., None] | None = None) -> None:
        self._title, self._last_line, self._record = title, time.monotonic(), record
        self._began, self._last_record = 0.0, -RECORD_EVERY
        self._bar = Progress(
            TextColumn(title),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            console=ERRORS,
            transient=True,
        )
        self._task = self._bar.add_task(title, total=None)
        self._started = False

    def __enter__(self) -> WorkProgress:
        return self

    def tell(self, text: str) -> None:
        """Say in one line what the work costs, before it begins."""
        note(f"{self._title}: {text}")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started and ERRORS.is_terminal:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show what is done of a total, and record it."""
        now = time.monotonic()
        if not self._started:
            self._started, self._began = True, now
            start_work()
            if ERRORS.is_terminal:
                self._bar.start()
            else:
                progress_line(self._title)
        if ERRORS.is_terminal:
            self._bar.update(self._task, completed=done, total=total)
        elif now - self._last_line >= LINE_EVERY:
            self._last_line = now
            progress_line(f"{self._title}: {100 * done // total} %{self._left(done, total, now)}")
        if self._record is not None and (done == total or now - self._last_record >= RECORD_EVERY):
            self._last_record, rate = now, done / max(now - self._began, 1e-9)
            self._record(step=done, steps=total, rate=rate, seconds_left=(total - done) / rate if rate else 0.0)

    def _left(self, done: int, total: int, now: float) -> str:
        return f", {clock((now - self._began) * (total - done) / done)} left" if done else ""
