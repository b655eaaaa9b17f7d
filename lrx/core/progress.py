"""Progress of work: counts of what is done, and of the passes within a step that would be silent for long.

Whoever passes observations through a model says how many with `tell`; `listening` hears it, the innermost one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[int, int], None]  # of what is done, and the total
PARTS = 1000  # of one step

_hear: ContextVar[Callable[[int], None] | None] = ContextVar("_hear", default=None)


def tell(passes: int) -> None:
    """Say that so many observations have passed."""
    hear = _hear.get()
    if hear is not None:
        hear(passes)


@contextmanager
def listening(hear: Callable[[int], None]) -> Iterator[None]:
    """Call `hear` with the observations that pass during the block, some at a time."""
    token = _hear.set(hear)
    try:
        yield
    finally:
        _hear.reset(token)


@contextmanager
def passes_shown(progress: Progress, total: int, *, done: int = 0, most: int | None = None) -> Iterator[None]:
    """Report the observations that pass during the block, beside those `done` before, up to `most` of the total."""
    seen, most = done, total if most is None else most

    def hear(passes: int) -> None:
        nonlocal seen
        seen = min(seen + passes, most)
        progress(seen, total)

    progress(done, total)
    with listening(hear):
        yield
    progress(most, total)


def step_of(progress: Progress, step: int, count: int) -> Progress:
    """Return the progress within step number `step` of `count`, as progress of all of them."""
    return lambda done, total: progress(step * PARTS + PARTS * done // max(total, 1), count * PARTS)


class WorkCounter:
    """Number of units of work done so far, reported to `progress(done, total)` and never above the total."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def add(self, units: int) -> None:
        """Count so many more units as done, and report."""
        self._done = min(self._done + units, self._total)
        self._progress(self._done, self._total)
