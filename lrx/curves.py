"""Training curves as files: one JSON object a line (metrics.jsonl), and the same as a table (metrics.csv).

A run that resumes from step t first drops the rows after t, so that the files look as if nothing had happened.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from lrx.atomic import replacing

JSONL, CSV = "metrics.jsonl", "metrics.csv"


class Curves:
    """Appends rows of scalars to the two files of a run folder. The columns of the table are those of the first row."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._csv = folder, folder / CSV

    def go_on_from(self, step: int) -> None:
        """Keep the rows up to this step, and no others."""
        kept = [row for row in read(self._folder) if row["step"] <= step]
        with replacing(self._folder / JSONL) as beside:
            beside.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        self._csv.unlink(missing_ok=True)
        for row in kept:
            self._append_csv(row)

    def append(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add what was measured at one step to both files."""
        row = {"step": step, **scalars}
        with (self._folder / JSONL).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._append_csv(row)

    def _append_csv(self, row: Mapping[str, float]) -> None:
        new = not self._csv.exists()
        with self._csv.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(row.keys())
            writer.writerow(row.values())


def read(folder: Path) -> list[dict[str, float]]:
    """The rows of a run folder's metrics.jsonl; a last line that was cut by a kill is left out."""
    path = folder / JSONL
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows
