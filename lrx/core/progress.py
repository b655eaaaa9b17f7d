"""Count of the work that is done, for assays whose steps are of several kinds."""

from __future__ import annotations

from collections.abc import Callable


class WorkCounter:
    """Number of units of work done so far, reported to `progress(done, total)` and never above the total."""

    def __init__(self, progress: Callable[[int, int], None], total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def add(self, units: int) -> None:
        """Count so many more units as done, and report."""
        self._done = min(self._done + units, self._total)
        self._progress(self._done, self._total)
