"""Results of a run of several assays, written one by one, so that an interrupted run goes on with the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lrx.storage import results

if TYPE_CHECKING:
    from lrx.core.types import AssayResult

PASSING = ("wall_time_s", "threads")  # provenance that differs between two runs of one command


class PartialResults:
    """Store of finished results in a results file.

    A result that is there counts as finished when its provenance is the one that this run would write.
    """

    def __init__(self, path: Path, provenance: Callable[[], results.Provenance]) -> None:
        self._path, self._provenance = path, provenance
        stored = results.read_own(path) if path.exists() else None
        # of another checkpoint, code or data: nothing in it can stay beside the new results
        self._is_outdated = stored is not None and bool(results.differing_identity(stored, provenance()))
        self._earlier = {
            name: result
            for name, result in (stored.assays if stored else {}).items()
            if stored and _lasting(stored.provenance_of[name]) == _lasting(provenance())
            if not result.is_empty
        }

    def get(self, name: str) -> AssayResult | None:
        """Return the result of an assay that was measured before the run was interrupted, or None."""
        return self._earlier.get(name)

    def put(self, name: str, result: AssayResult) -> None:
        """Add a result to the file."""
        results.write(self._path, {name: result}, self._provenance(), anew=self._is_outdated)
        self._is_outdated = False


def _lasting(provenance: results.Provenance) -> dict[str, str | int | float]:
    return {key: value for key, value in provenance.items() if key not in PASSING}
