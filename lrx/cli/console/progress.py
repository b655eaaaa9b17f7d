"""Progress of long work on standard error: a bar on a terminal, elsewhere a plain line every 30 seconds, for a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lrx.cli.console.messages import ERRORS, progress_line, start_work
from lrx.core.text import clock

LINE_EVERY = 30.0  # seconds between two lines of a log


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
            console=ERRORS,
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
        start_work()
        self._done = self._first = step
        self._compiles = compiles
        self._began = self._newest = self._last_line = time.monotonic()
        if step:
            progress_line(f"resuming at step {step} of {self._steps}")
        if ERRORS.is_terminal:
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
            progress_line(f"compiled in {now - self._began:.0f} s")
            self._compiles, self._first, self._began, self._last_line = False, done, now, now
        rate = self.rate
        self._bar.update(self._task, completed=done, rate=f"{rate:.1f} steps/s", losses=self._losses.split("  ")[0])
        if not ERRORS.is_terminal and now - self._last_line >= LINE_EVERY:
            self._last_line = now
            left = clock(self.seconds_left)
            images = rate * self._batch_size
            progress_line(
                f"step {done}/{self._steps}  {rate:.1f} steps/s  {images:.0f} images/s  {left} left  {self._losses}"
            )

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
            console=ERRORS,
            transient=True,
        )
        self._task = self._bar.add_task(what, total=None)
        self._begun = False

    def __enter__(self) -> Callable[[int, int], None]:
        return self._update

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._begun and ERRORS.is_terminal:
            self._bar.stop()

    def _update(self, done: int, total: int) -> None:
        if not self._begun:
            self._begun = True
            start_work()
            if ERRORS.is_terminal:
                self._bar.start()
            else:
                progress_line(self._what)
        if ERRORS.is_terminal:
            self._bar.update(self._task, completed=done, total=total)
        elif time.monotonic() - self._last_line >= LINE_EVERY:
            self._last_line = time.monotonic()
            progress_line(f"{self._what}: {100 * done // total} %")
