"""Training curves as files: one JSON object a line (metrics.jsonl), and the same as a table (metrics.csv).

A run that resumes from step t first drops the rows after t, so that the files look as if nothing had happened.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

from lrx.storage.atomic import append, atomic_path

JSONL, CSV = "metrics.jsonl", "metrics.csv"


class Curves:
    """Appends rows of scalars to the two files of a run folder. The columns of the table are those of the first row."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._csv = folder, folder / CSV

    def go_on_from(self, step: int) -> None:
        """Keep the rows up to this step, and no others."""
        kept = [row for row in read(self._folder) if row["step"] <= step]
        with atomic_path(self._folder / JSONL) as beside:
            beside.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        self._csv.unlink(missing_ok=True)
        for row in kept:
            self._append_csv(row)

    def append(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add what was measured at one step to both files."""
        row = {"step": step, **scalars}
        append(self._folder / JSONL, json.dumps(row) + "\n")
        self._append_csv(row)

    def _append_csv(self, row: Mapping[str, float]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows([row.values()] if self._csv.exists() else [row.keys(), row.values()])
        append(self._csv, text.getvalue())


def last_loss(folder: Path) -> float | None:
    """The loss that a run folder logged last, None where it logged none; what a search over settings lowers."""
    rows = read(folder)
    return rows[-1]["loss"] if rows else None


def read(folder: Path) -> list[dict[str, float]]:
    """The rows of a run folder's metrics.jsonl; a last line that was cut by a kill is left out.

    ValueError for another damaged line.
    """
    path = folder / JSONL
    lines = path.read_bytes().splitlines() if path.exists() else []
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if not all(isinstance(row[key], int | float) for key in ("step", "loss")):
                raise ValueError("no numbers")
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            if number == len(lines):
                break
            raise ValueError(f"{path}: line {number} is damaged; remove that line, or the file") from error
        rows.append(row)
    return rows
