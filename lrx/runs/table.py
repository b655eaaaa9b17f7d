"""Runs as a table: a row for each, with columns for what was typed, what differs, every score, and where it comes from.

As a .csv file the columns are named as typed: model.beta, metrics.mig, metrics.mig_se, provenance.torch.
"""

from __future__ import annotations

import csv
import functools
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lrx.runs.result_scan import Scanned, is_name
from lrx.runs.run_tree import one_line

Setting = str | int | float | bool | None
V = TypeVar("V")

TRAINED, RANKED = "train", "udr"  # groups of scores that are no assays
MOST, MOST_GROUPS = 1000, 100  # columns of a kind, and groups of scores: more than lrx has keys, scores and assays


@dataclass
class Row:
    """What a run says.

    training, measuring, overrides: settings by key, of the model's training, of its assays (whose keys all begin with
    `assay`), and what was typed for both. provenance: of its results. scores: by assay and name.
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
    assays: dict[str, Scanned] = field(default_factory=dict)

    def fault(self, text: str) -> None:
        """Add to what is wrong with it."""
        self.error = one_line(f"{self.error}; {text}" if self.error else text)


def cap(rows: Sequence[Row]) -> None:
    """Take out of rows what makes columns past any sense: long names, the rarest of too many. The row says how many."""
    _keep(rows, "settings", MOST, lambda row: [row.training, row.measuring, row.overrides])
    _keep(rows, "provenance", MOST, lambda row: [row.provenance])
    _keep(rows, "assays", MOST_GROUPS, lambda row: [row.scores])
    for group in {group for row in rows for group in row.scores}:
        _keep(rows, f"scores of {group}", MOST, functools.partial(_scores_of, group))


class Table:
    """The columns that rows make.

    settings: the keys that were typed for any run, or that the configs of two runs have otherwise. varying: those with
    two values. in_common: the other keys of the configs. provenance: its keys. scores: the names by group.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._known = [{**row.overrides, **row.measuring, **row.training} for row in rows]
        configs = [[row.training for row in rows if row.training], [row.measuring for row in rows if row.measuring]]
        differing = {key for kind in configs for key in _differing(kind)}
        every = {key for kind in configs for config in kind for key in config}
        self.settings = sorted({key for row in rows for key in row.overrides} | differing)
        self.varying = [key for key in self.settings if len(set(map(text, self.setting(key)))) > 1]
        self.in_common = {key: next(known[key] for known in self._known if key in known) for key in every - differing}
        self.provenance = sorted({key for row in rows for key in row.provenance})
        self.scores: dict[str, list[str]] = {}
        ends = {TRAINED: 0, RANKED: 2}
        for group in sorted(
            {group for row in rows for group in row.scores}, key=lambda name: (ends.get(name, 1), name)
        ):
            self.scores[group] = list(dict.fromkeys(name for row in rows for name in row.scores.get(group, ())))

    def setting(self, key: str) -> list[Setting]:
        """A setting of all runs, an empty text where a run has none."""
        return [known.get(key, "") for known in self._known]

    def score(self, group: str, name: str) -> list[Setting]:
        """A score of all runs, an empty text where a run has none."""
        return [row.scores.get(group, {}).get(name, "") for row in self.rows]


def write_csv(path: Path, table: Table) -> None:
    """Write the table as text."""
    columns: dict[str, list[Setting]] = {
        key: [getattr(row, key) for row in table.rows] for key in ("run", "state", "error", "command")
    }
    columns |= {key: table.setting(key) for key in table.settings if key not in columns}
    columns |= {f"{group}.{name}": table.score(group, name) for group, names in table.scores.items() for name in names}
    for key in table.provenance:
        columns[f"provenance.{key}"] = [row.provenance.get(key, "") for row in table.rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(map(text, cells) for cells in zip(*columns.values(), strict=True))


def text(value: Setting) -> str:
    """A value as yaml would have it; text that a spreadsheet would take for a formula behind a quote."""
    if isinstance(value, str) and value.startswith(("=", "+", "@")):
        return f"'{value}"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _scores_of(group: str, row: Row) -> list[dict[str, float]]:
    return [row.scores.get(group, {})]


def _keep(rows: Sequence[Row], what: str, most: int, columns: Callable[[Row], Sequence[dict[str, V]]]) -> None:
    counts = Counter(key for row in rows for part in columns(row) for key in part if is_name(key))
    kept = {key for key, _ in counts.most_common(most)}
    for row in rows:
        left_out = 0
        for part in columns(row):
            for key in part.keys() - kept:
                del part[key]
                left_out += 1
        if left_out:
            row.fault(f"left out: {left_out:,} of its {what}, for names that are none or for more than {most:,} in all")


def _differing(configs: Sequence[Mapping[str, Setting]]) -> set[str]:
    """The keys that some configs have otherwise, or not."""
    keys, nowhere = {key for config in configs for key in config}, object()
    return {key for key in keys if len({repr(config.get(key, nowhere)) for config in configs}) > 1}
