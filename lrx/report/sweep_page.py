"""What the report of a sweep shows: a row for each run, scores against each other, seeds as spreads, matrices."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from lrx.assays.plotting import style
from lrx.core.text import humanize, with_error
from lrx.report import commands, measured_runs, pictures, strip_plot
from lrx.report.meanings import ASSAYS, of_score, place_of
from lrx.report.measured_runs import Place
from lrx.report.pictures import Picture
from lrx.report.run_summary import in_brackets
from lrx.report.sweep_rows import MATRICES, SEEDS, Key, Row, grouped, head, read_row, telling, value_of, varying
from lrx.runs import status


@dataclass(frozen=True)
class Column:
    """A score over all runs: its head, what it means, and a cell for each run: text, and the value to sort by."""

    head: str
    meaning: str
    cells: list[tuple[str, float | None]]


class View(TypedDict):
    """What the template `sweep.html` takes."""

    title: str
    states: str
    varying: list[str]
    data: list[str]
    columns: list[str]
    rows: list[tuple[Row, list[str]]]
    main: list[Column]
    every: list[Column]
    meanings: list[tuple[str, str]]
    plot: dict[str, object]
    chosen: tuple[int, int]
    spreads: list[Picture]
    matrices: list[tuple[str, str, list[tuple[str, Picture]]]]
    commands: list[str]
    faults: list[str]


def view(path: Path, places: Sequence[Place]) -> View:
    """Read the runs one after the other and keep what the page shows of each. Faults are lines, not errors."""
    rows, faults = [], []
    for place in places:
        try:
            row, wrong = read_row(path, place)
        except measured_runs.UNREADABLE as error:  # of this run alone
            faults.append(f"{place.path}: {pictures.reason(error)}")
            continue
        rows.append(row)
        faults += wrong
    keys = varying(rows)
    apart = telling(rows, [key for key in keys if key not in SEEDS])
    groups = [grouped(row.config, apart) for row in rows]
    columns = [*apart, *(key for key in keys if key in SEEDS)]
    scores = _scores(rows)
    main = [key for key in scores if key[0] in ASSAYS and key[1] in ASSAYS[key[0]].main]
    counted = Counter(row.state for row in rows)
    return View(
        title=path.resolve().name,
        states=", ".join(f"{counted[state]} {state}" for state in (*status.STATES, "unknown") if counted[state]),
        varying=[head(key) for key in keys],
        data=list(dict.fromkeys(in_brackets(row.data) for row in rows if row.data)),
        columns=[head(key) for key in columns],
        rows=[(row, [value_of(row.config, key) for key in columns]) for row in rows],
        main=[_column(rows, key) for key in main],
        every=[_column(rows, key) for key in scores],
        meanings=[(_named(key), of_score(*key)) for key in scores],
        plot=_plot(rows, groups, scores),
        chosen=_first_two(rows, scores, main),
        spreads=_spreads(rows, groups, main),
        matrices=[
            (name, ASSAYS[name].title, [(row.name, row.matrices[name]) for row in rows if name in row.matrices])
            for name in MATRICES
            if any(name in row.matrices for row in rows)
        ],
        commands=commands.of_sweep(said for row in rows for said in row.commands),
        faults=faults,
    )


def _scores(rows: Sequence[Row]) -> list[Key]:
    """The scores that any run has, in the order of the meanings."""
    assays = {name: place for place, name in enumerate(ASSAYS)}
    there = dict.fromkeys(key for row in rows for key in row.scores)
    return sorted(there, key=lambda key: (assays.get(key[0], len(assays)), key[0], place_of(*key)))


def _named(key: Key) -> str:
    """A score with its assay, as the page writes it."""
    return f"{humanize(key[0])}: {humanize(key[1])}"


def _column(rows: Sequence[Row], key: Key) -> Column:
    cells: list[tuple[str, float | None]] = []
    for row in rows:
        value = row.scores.get(key)
        text = "–" if value is None else with_error(value, row.errors[key])
        cells.append((text, _finite(value)))
    return Column(_named(key), of_score(*key), cells)


def _plot(rows: Sequence[Row], groups: Sequence[str], scores: Sequence[Key]) -> dict[str, object]:
    """What the scatter plot is drawn from: names of scores, and values and errors of each run, null where not known."""
    return {
        "scores": [_named(key) for key in scores],
        "groups": list(dict.fromkeys(groups)),
        "runs": [
            {
                "name": row.name,
                "group": group,
                "values": [_finite(row.scores.get(key)) for key in scores],
                "errors": [_finite(row.errors.get(key)) for key in scores],
            }
            for row, group in zip(rows, groups, strict=True)
        ],
    }


def _first_two(rows: Sequence[Row], scores: Sequence[Key], main: Sequence[Key]) -> tuple[int, int]:
    """The places of the two scores that are drawn against each other first.

    They are main scores that differ between runs, of two assays where there are, known of as many runs as possible.
    """
    values = {key: [value for row in rows if (value := _finite(row.scores.get(key))) is not None] for key in main}
    telling = sorted((key for key in main if len(set(values[key])) > 1), key=lambda key: -len(values[key]))
    others = [key for key in telling if key[0] != telling[0][0]] or telling[1:]
    return (scores.index(telling[0]), scores.index(others[0])) if others else (0, min(1, max(0, len(scores) - 1)))


def _spreads(rows: Sequence[Row], groups: Sequence[str], main: Sequence[Key]) -> list[Picture]:
    """A strip of points for each group, of each main score that is not the same in all runs, and what it means."""
    drawn = []
    for key in main:
        values: dict[str, list[tuple[float, float]]] = {group: [] for group in groups}
        for row, group in zip(rows, groups, strict=True):
            value = _finite(row.scores.get(key))
            if value is not None:
                values[group].append((value, row.errors[key]))
        if len({value for some in values.values() for value, _ in some}) > 1:
            title = _named(key)
            with style.plot_style():
                alt = f"{title}: a dot a run with its standard error, a line at the median of each group."
                drawn.append(pictures.picture(strip_plot.figure(title, values), alt, caption=of_score(*key)))
    return drawn


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
