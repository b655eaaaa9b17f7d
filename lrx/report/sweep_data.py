"""Data of a sweep's page for its script: columns over runs, by which it plots, and draws the tables of many runs.

Numbers have six digits, errors three; null stands for a missing one. A setting is a list of its values, and of each run
the place among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lrx.core.text import humanize
from lrx.report.sweep_runs import Key, SweepRun

Settings = Sequence[Sequence[str]]  # of each key the texts of all runs


def script_data(
    rows: Sequence[SweepRun], names: Sequence[str], scores: Sequence[Key], groups: Sequence[str], settings: Settings
) -> dict[str, object]:
    """Return the data of runs. names: of the scores; groups: of each run its label."""
    return {
        "scores": list(names),
        "assays": [humanize(assay) for assay, _ in scores],
        "names": [row.name for row in rows],
        "groups": _coded(groups),
        "states": _coded([row.state for row in rows]),
        "settings": [_coded(texts) for texts in settings],
        "values": [[_digits(row.scores.get(key), 6) for row in rows] for key in scores],
        "errors": [_column([_digits(row.errors.get(key), 3) for row in rows]) for key in scores],
        "remarks": {
            place: {humanize(name): remark for name, remark in row.remarks.items()}
            for place, row in enumerate(rows)
            if row.remarks
        },
    }


def finite(value: float | None) -> float | None:
    """Return a finite number, or None."""
    return value if value is not None and math.isfinite(value) else None


def _coded(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the different texts, and of each its place among them."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return list(places), [places[text] for text in texts]


def _column(values: list[float | None]) -> list[float | None] | None:
    """Return a column, None where it is empty."""
    return values if any(value is not None for value in values) else None


def _digits(value: float | None, count: int) -> float | None:
    return None if finite(value) is None else float(f"{value:.{count}g}")
