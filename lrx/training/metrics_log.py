"""Metrics of a training run as files: one JSON object per line (metrics.jsonl), and the same as a table (metrics.csv).

A run that resumes from step t first drops the rows after t, so that the files equal those of an uninterrupted run.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from lrx.core.text import csv_cell
from lrx.storage.atomic import append, atomic_path
from lrx.training.observers import Row

JSONL, CSV = "metrics.jsonl", "metrics.csv"
TAIL = 65536  # bytes at the end of a log, which hold its last row


class MetricsLog:
    """Observer that appends rows of scalars to both files of a run folder; the first row sets the table's columns."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._csv = folder, folder / CSV

    def start(self, step: int) -> None:
        """Keep the rows up to this step and drop all others."""
        rows = [row for row in read(self._folder) if row["step"] <= step]
        with atomic_path(self._folder / JSONL) as path:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self._csv.unlink(missing_ok=True)
        for row in rows:
            self._append_csv(row)

    def log(self, step: int, row: Row) -> None:
        """Append the row of one step to both files."""
        row = {"step": step, **row}
        append(self._folder / JSONL, json.dumps(row) + "\n")
        self._append_csv(row)

    def step(self, n: int) -> None:
        """Do nothing: only logged steps have a row."""

    def close(self) -> None:
        """Do nothing: every row is on disk already."""

    def _append_csv(self, row: Row) -> None:
        text = io.StringIO()
        head = [] if self._csv.exists() else [map(csv_cell, row)]
        csv.writer(text).writerows([*head, row.values()])
        append(self._csv, text.getvalue())


def last_loss(folder: Path) -> float | None:
    """Return the last logged loss of a run folder, which a search over settings lowers; None without any row."""
    path = folder / JSONL
    return last_row(path).get("loss") if path.exists() else None


def last_row(path: Path) -> dict[str, float]:
    """Return the last whole row of a log in JSON lines, whose last line may be cut; empty where the end has none."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        lines = file.read(TAIL).splitlines()
    for line in reversed(lines):
        try:
            row = json.loads(line)
            return {str(key): float(row[key]) for key in row}
        except (ValueError, TypeError, LookupError, RecursionError, OverflowError):
            continue
    return {}


def read(folder: Path) -> list[dict[str, float]]:
    """Return the rows of a run folder's metrics.jsonl, without a last line that a kill cut.

    ValueError for any other damaged line.
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
