"""Table of runs: a row each, with columns for overrides, settings that differ, scores and provenance.

Columns of the .csv file are named as on the command line: model.beta, metrics.mig, metrics.mig_se, provenance.torch.
The column `remark` holds what the assays of a run say about their scores.
"""

from __future__ import annotations

import csv
import functools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lrx.core.text import csv_cell, one_line
from lrx.runs.grouping import differing_keys
from lrx.storage.result_scan import ScannedAssay, is_valid_name

Setting = str | int | float | bool | None
V = TypeVar("V")

TRAINED, RANKED = "train", "udr"  # groups of scores that are no assays
MOST_COLUMNS, MOST_GROUPS = 1000, 100  # columns of a kind, groups of scores: more than lrx has of each


@dataclass
class Row:
    """Settings and results of a run.

    training, measuring, overrides: settings by key, of the model's training, of its assays (their keys begin with
    `assay`), and the command-line overrides of both. provenance: of its results. scores: by assay and name. foreign:
    names in its results of what lrx did not write.
    """

    run: str
    state: str
    error: str
    command: str
    training: dict[str, Setting] = field(default_factory=dict)
    measuring: dict[str, Setting] = field(default_factory=dict)
    overrides: dict[str, Setting] = field(default_factory=dict)
    provenance: dict[str, Setting] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    assays: dict[str, ScannedAssay] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    @property
    def remark(self) -> str:
        """Remarks of its assays in one line, each after the name of its assay; empty where none has one."""
        return "; ".join(f"{name}: {assay.remark}" for name, assay in self.assays.items() if assay.remark)

    def add_error(self, text: str) -> None:
        """Append to the error."""
        self.error = one_line(f"{self.error}; {text}" if self.error else text)


def limit_columns(rows: Sequence[Row]) -> None:
    """Drop columns with invalid names, and the rarest past MOST_COLUMNS; the row's error says how many."""
    _drop(rows, "settings", MOST_COLUMNS, lambda row: [row.training, row.measuring, row.overrides])
    _drop(rows, "provenance entries", MOST_COLUMNS, lambda row: [row.provenance])
    _drop(rows, "assays", MOST_GROUPS, lambda row: [row.scores])
    for group in {group for row in rows for group in row.scores}:
        _drop(rows, f"scores of {group}", MOST_COLUMNS, functools.partial(_scores_of, group))


class Table:
    """Columns of rows.

    settings: keys that were overridden for any run, or that differ between configs. varying: those with two values.
    in_common: the other keys of the configs. provenance: its keys. scores: names by group.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._settings = [{**row.overrides, **row.measuring, **row.training} for row in rows]
        configs = [[row.training for row in rows if row.training], [row.measuring for row in rows if row.measuring]]
        differing = {key for kind in configs for key in differing_keys(kind)}
        every = {key for kind in configs for config in kind for key in config}
        self.settings = sorted({key for row in rows for key in row.overrides} | differing)
        self.varying = [key for key in self.settings if len(set(map(text, self.setting(key)))) > 1]
        first = {key: value for settings in reversed(self._settings) for key, value in settings.items()}
        self.in_common = {key: first[key] for key in every - differing}
        self.provenance = sorted({key for row in rows for key in row.provenance})
        self.scores: dict[str, list[str]] = {}
        self._scores: dict[tuple[str, str], list[Setting]] = {}
        ends = {TRAINED: 0, RANKED: 2}
        for group in sorted(
            {group for row in rows for group in row.scores}, key=lambda name: (ends.get(name, 1), name)
        ):
            of_rows = [row.scores.get(group, {}) for row in rows]
            self.scores[group] = list(dict.fromkeys(name for scores in of_rows for name in scores))
            for name in self.scores[group]:
                self._scores[group, name] = [scores.get(name, "") for scores in of_rows]

    def setting(self, key: str) -> list[Setting]:
        """Return a setting of all runs, an empty text where a run has none."""
        return [settings.get(key, "") for settings in self._settings]

    def score(self, group: str, name: str) -> list[Setting]:
        """Return a score of all runs, an empty text where a run has none."""
        return self._scores[group, name]


CSV_START = "run,state,"  # of the first line of each table, by which an older one is known


def write_csv(path: Path, table: Table) -> None:
    """Write the table as text."""
    columns: dict[str, list[Setting]] = {
        key: [getattr(row, key) for row in table.rows] for key in ("run", "state", "error", "remark", "command")
    }
    columns |= {key: table.setting(key) for key in table.settings if key not in columns}
    columns |= {f"{group}.{name}": table.score(group, name) for group, names in table.scores.items() for name in names}
    for key in table.provenance:
        columns[f"provenance.{key}"] = [row.provenance.get(key, "") for row in table.rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(map(csv_cell, columns))
        writer.writerows(map(text, cells) for cells in zip(*columns.values(), strict=True))


def text(value: Setting) -> str:
    """Write a value as yaml does; put a quote before what a spreadsheet would take for a formula."""
    if isinstance(value, str):
        return csv_cell(value)
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _scores_of(group: str, row: Row) -> list[dict[str, float]]:
    return [row.scores.get(group, {})]


def _drop(rows: Sequence[Row], kind: str, most: int, columns: Callable[[Row], Sequence[dict[str, V]]]) -> None:
    counts = Counter(key for row in rows for part in columns(row) for key in part if is_valid_name(key))
    frequent = {key for key, _ in counts.most_common(most)}
    for row in rows:
        dropped = [(part, key) for part in columns(row) for key in part.keys() - frequent]
        for part, key in dropped:
            del part[key]
        if dropped:
            row.add_error(f"dropped {len(dropped):,} {kind}: invalid names, or more than {most:,} columns")
