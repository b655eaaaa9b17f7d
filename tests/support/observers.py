"""Observer of functions, for tests that watch or stop a run."""

from __future__ import annotations

from collections.abc import Callable

from lrx.training.observers import Row


class Callbacks:
    """Observer that calls the functions given; `closed` counts the calls of close."""

    def __init__(
        self,
        *,
        on_start: Callable[[int], object] | None = None,
        on_log: Callable[[int, Row], object] | None = None,
        on_step: Callable[[int], object] | None = None,
    ) -> None:
        self._on_start, self._on_log, self._on_step = on_start, on_log, on_step
        self.closed = 0

    def start(self, step: int) -> None:
        if self._on_start:
            self._on_start(step)

    def log(self, step: int, row: Row) -> None:
        if self._on_log:
            self._on_log(step, row)

    def step(self, n: int) -> None:
        if self._on_step:
            self._on_step(n)

    def close(self) -> None:
        self.closed += 1
