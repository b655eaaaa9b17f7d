"""Report of a sweep: a row for each run, scores against each other, spread over seeds, and response matrices."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from lrx.assays import catalog
from lrx.assays.plotting import style
from lrx.core.text import humanize, with_error
from lrx.report import commands, pictures, run_contents, strip_plot
from lrx.report.pictures import Picture
from lrx.report.run_page import description_of
from lrx.report.run_summary import in_brackets
from lrx.report.sweep_runs import MATRICES, Key, SweepRun, read_run
from lrx.report.sweep_seeds import SeedsView, seed_views
from lrx.runs import status
from lrx.runs.catalog import Run
from lrx.runs.grouping import SEEDS, distinguishing_keys, group_label, short_key, value_text, varying_keys


@dataclass(frozen=True)
class Column:
    """Score over all runs: its assay, head and meaning, and a cell for each run: text, and the value to sort by."""

    assay: str
    head: str
    meaning: str
    cells: list[tuple[str, float | None]]


class SweepView(TypedDict):
    """Values of the template `sweep.html`."""

    title: str
    states: str
    varying: list[str]
    data: list[str]
    columns: list[str]
    rows: list[tuple[SweepRun, list[str]]]
    main: list[Column]
    every: list[Column]
    meanings: list[tuple[str, str]]
    remarks: list[tuple[str, str]]
    plot: dict[str, object]
    chosen: tuple[int, int]
    spreads: list[Picture]
    seeds: list[SeedsView]
    matrices: list[tuple[str, str, list[tuple[str, Picture]]]]
    commands: list[str]
    faults: list[str]


def view(title: str, runs: Sequence[Run]) -> SweepView:
    """Return what the page shows; runs are read one after the other, and what cannot be read is in `faults`."""
    rows, faults = [], []
    for run in runs:
        try:
            row, run_faults = read_run(run)
        except run_contents.UNREADABLE as error:
            faults.append(f"{run.folder}: {pictures.reason(error)}")
            continue
        rows.append(row)
        faults += run_faults
    configs = [row.config for row in rows]
    keys = varying_keys(configs)
    group_keys = distinguishing_keys(configs, [key for key in keys if key not in SEEDS])
    groups = [group_label(config, group_keys) for config in configs]
    columns = [*group_keys, *(key for key in keys if key in SEEDS)]
    scores = _scores(rows)
    main = [key for key in scores if key[1] in description_of(key[0]).main_scores]
    seeds, undrawn = seed_views(rows, main)
    states = Counter(row.state for row in rows)
    return SweepView(
        title=title,
        states=", ".join(f"{states[state]} {state}" for state in (*status.STATES, status.UNKNOWN) if states[state]),
        varying=[short_key(key) for key in keys],
        data=list(dict.fromkeys(in_brackets(row.data) for row in rows if row.data)),
        columns=[short_key(key) for key in columns],
        rows=[(row, [value_text(row.config, key) for key in columns]) for row in rows],
        main=[_column(rows, key) for key in main],
        every=[_column(rows, key) for key in scores],
        meanings=[(_score_name(key), description_of(key[0]).meaning(key[1])) for key in scores],
        remarks=[(row.name, f"{humanize(name)}: {remark}") for row in rows for name, remark in row.remarks.items()],
        plot=_plot(rows, groups, scores),
        chosen=_first_axes(rows, scores, main),
        spreads=_spreads(rows, groups, main),
        seeds=seeds,
        matrices=[
            (name, description_of(name).title, _matrices(rows, name))
            for name in MATRICES
            if any(name in row.matrices for row in rows)
        ],
        commands=commands.sweep_lines(command for row in rows for command in row.commands),
        faults=[*faults, *undrawn],
    )


def _matrices(rows: Sequence[SweepRun], name: str) -> list[tuple[str, Picture]]:
    """Return the matrices of an assay with the names of their runs, marked where the assay has a remark."""
    return [
        (f"{row.name} *" if name in row.remarks else row.name, row.matrices[name])
        for row in rows
        if name in row.matrices
    ]


def _scores(rows: Sequence[SweepRun]) -> list[Key]:
    """Return the scores that any run has, in the order of the catalog; those of foreign assays last."""
    positions = {name: position for position, name in enumerate(catalog.descriptions())}

    def order(key: Key) -> tuple[int, str, tuple[int, ...]]:
        return positions.get(key[0], len(positions)), key[0], description_of(key[0]).score_order(key[1])

    return sorted(dict.fromkeys(key for row in rows for key in row.scores), key=order)


def _score_name(key: Key) -> str:
    """Write a score with its assay."""
    return f"{humanize(key[0])}: {humanize(key[1])}"


def _column(rows: Sequence[SweepRun], key: Key) -> Column:
    cells: list[tuple[str, float | None]] = []
    for row in rows:
        value = row.scores.get(key)
        text = "–" if value is None else with_error(value, row.errors[key])
        cells.append((text, _finite(value)))
    return Column(key[0], _score_name(key), description_of(key[0]).meaning(key[1]), cells)


def _plot(rows: Sequence[SweepRun], groups: Sequence[str], scores: Sequence[Key]) -> dict[str, object]:
    """Return the data of the scatter plot: names of scores; remarks, values and errors of each run (None: missing)."""
    return {
        "scores": [_score_name(key) for key in scores],
        "groups": list(dict.fromkeys(groups)),
        "runs": [
            {
                "name": row.name,
                "group": group,
                "remark": "; ".join(f"{humanize(name)}: {remark}" for name, remark in row.remarks.items()),
                "values": [_finite(row.scores.get(key)) for key in scores],
                "errors": [_finite(row.errors.get(key)) for key in scores],
            }
            for row, group in zip(rows, groups, strict=True)
        ],
    }


def _first_axes(rows: Sequence[SweepRun], scores: Sequence[Key], main: Sequence[Key]) -> tuple[int, int]:
    """Return the positions of the two scores that are plotted first.

    They are main scores that differ between runs, of two assays where there are, and that most runs have.
    """
    values = {key: [value for row in rows if (value := _finite(row.scores.get(key))) is not None] for key in main}
    differing = sorted((key for key in main if len(set(values[key])) > 1), key=lambda key: -len(values[key]))
    others = [key for key in differing if key[0] != differing[0][0]] or differing[1:]
    return (scores.index(differing[0]), scores.index(others[0])) if others else (0, min(1, max(0, len(scores) - 1)))


def _spreads(rows: Sequence[SweepRun], groups: Sequence[str], main: Sequence[Key]) -> list[Picture]:
    """Draw a strip plot of each main score that is not the same in all runs."""
    plots = []
    for key in main:
        values: dict[str, list[strip_plot.Dot]] = {group: [] for group in groups}
        for row, group in zip(rows, groups, strict=True):
            value = _finite(row.scores.get(key))
            if value is not None:
                values[group].append(strip_plot.Dot(value, row.errors[key], hollow=key[0] in row.remarks))
        if len({value for group_values in values.values() for value, _, _ in group_values}) > 1:
            title, meaning = _score_name(key), description_of(key[0]).meaning(key[1])
            with style.plot_style():
                alt = f"{title}: a dot a run with its error, hollow with a remark; a line at the median of a group."
                plots.append(pictures.as_picture(strip_plot.figure(title, values), alt, caption=meaning))
    return plots


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
