"""Report of a sweep: a row for each run, scores against each other, spread over seeds, and response matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from lrx.assays import catalog
from lrx.assays.plotting import style
from lrx.core.garbage_collection import without_garbage_collection
from lrx.core.text import humanize, with_error
from lrx.report import commands, pictures, strip_plot
from lrx.report.pictures import Picture
from lrx.report.run_page import description_of
from lrx.report.run_summary import in_brackets
from lrx.report.sweep_columns import first_axes, fitting
from lrx.report.sweep_data import finite, script_data
from lrx.report.sweep_matrices import run_matrices
from lrx.report.sweep_runs import MATRICES, Key, SweepRun, read_run
from lrx.report.sweep_seeds import MOST_DRAWN as MOST_SEEDS
from lrx.report.sweep_seeds import SeedsView, seed_views
from lrx.report.sweep_training import draw_curves, last_losses
from lrx.runs.catalog import Run, summary
from lrx.runs.grouping import SEEDS, distinguishing_keys, few_groups, group_label, short_key, value_text, varying_keys
from lrx.runs.processes import FOLDERS, map_for
from lrx.runs.table import TRAINED

MOST_GROUPS = 30  # of runs, that the plots tell apart
MOST_ROWS = 500  # of a table in the page; its script draws longer ones
MOST_DRAWN = 60  # runs whose matrices are all drawn
MOST_LETTERS = 32  # of a run's name in one line of the table
REMARK = 18  # letters in a line of the column of remarks
MOST_LINES = 50  # commands, remarks and faults that are listed


@dataclass(frozen=True)
class Column:
    """Score over all runs: its place, assay, head and meaning, and a cell for each run: text, and the value to sort by.

    cells: empty for more than MOST_ROWS runs.
    """

    place: int
    assay: str
    head: str
    meaning: str
    cells: list[tuple[str, float | None]]


class SweepView(TypedDict):
    """Values of the template `sweep.html`."""

    title: str
    count: int
    states: str
    varying: list[str]
    data: list[str]
    columns: list[str]
    rows: list[tuple[SweepRun, tuple[str, ...]]]
    main: list[Column]
    shown: list[Column]
    curves: Picture | None
    every: list[Column]
    meanings: list[tuple[str, str]]
    remarks: list[tuple[str, str]]
    more_remarks: int
    plot: dict[str, object]
    chosen: tuple[int, int]
    spreads: list[Picture]
    seeds: list[SeedsView]
    undrawn_seeds: int
    matrices: list[tuple[str, str, list[tuple[str, Picture]], bool]]
    commands: list[str]
    more_commands: int
    faults: list[str]


@without_garbage_collection()
def view(title: str, runs: Sequence[Run]) -> SweepView:
    """Return what the page shows; what cannot be read is in `faults`."""
    rows, faults = [], list[str]()
    with map_for(sum(len(run.result_files) for run in runs)) as each:
        for row, run_faults in each(read_run, runs, at_once=FOLDERS):
            faults += run_faults
            if row is not None:
                losses = last_losses(row.curves)
                errors = {**row.errors, **dict.fromkeys(losses, math.nan)}
                rows.append(replace(row, scores={**row.scores, **losses}, errors=errors))
    configs = [row.config for row in rows]
    keys = varying_keys(configs)
    distinguishing = distinguishing_keys(configs, [key for key in keys if key not in SEEDS])
    group_keys = few_groups(configs, distinguishing, MOST_GROUPS)
    groups = [group_label(config, group_keys) for config in configs]
    columns = [*distinguishing, *(key for key in keys if key in SEEDS)]
    settings = [[value_text(config, key) for config in configs] for key in columns]
    scores = _scores(rows)
    of_assays = [key for key in scores if key[1] in description_of(key[0]).main_scores]
    losses_that_vary = [key for key in scores if key[0] == TRAINED and len({row.scores.get(key) for row in rows}) > 1]
    main = of_assays or losses_that_vary or [(TRAINED, "loss")] * ((TRAINED, "loss") in scores)
    curves, uncurved = draw_curves(rows, groups)
    spreads, unspread = _spreads(rows, groups, main)
    seeds, undrawn = seed_views(rows, main)
    matrices = []
    for name in MATRICES:
        drawn, num_measured = _drawn(rows, groups, name), sum(name in row.assays for row in rows)
        pictures_of_runs, faults_of_runs = run_matrices(drawn, name)
        undrawn += faults_of_runs
        some = len(drawn) < num_measured
        matrices += [(name, description_of(name).title, pictures_of_runs, some)] if pictures_of_runs else []
    made = commands.sweep_lines(command for row in rows for command in row.commands)
    remarks = [(row.name, f"{humanize(name)}: {remark}") for row in rows for name, remark in row.remarks.items()]
    listed = [*faults, *undrawn, *uncurved, *unspread]
    every = [_column(rows, key, scores) for key in scores]
    starred = {name for row in rows for name in row.remarks}
    texts = [[text + " *" * (key[0] in starred) for text, _ in every[scores.index(key)].cells] for key in main]
    before = [
        max((row.name for row in rows), key=len, default="")[:MOST_LETTERS],
        "",
        *map(_longest, zip(columns, settings, strict=True)),
    ]
    shown = fitting(
        main, [every[scores.index(key)].head for key in main], texts, [*before, "x" * REMARK if remarks else ""]
    )
    return SweepView(
        title=title,
        count=len(rows),
        states=summary(run.state for run in runs),
        varying=[short_key(key) for key in keys],
        data=list(dict.fromkeys(in_brackets(row.data) for row in rows if row.data)),
        columns=[short_key(key) for key in columns],
        rows=[]
        if len(rows) > MOST_ROWS
        else list(zip(rows, zip(*settings, strict=True) if settings else [()] * len(rows), strict=True)),
        main=[every[scores.index(key)] for key in main],
        shown=[every[scores.index(key)] for key in shown],
        every=every,
        curves=curves,
        meanings=[(_score_name(key), description_of(key[0]).meaning(key[1])) for key in scores],
        remarks=remarks[:MOST_LINES],
        more_remarks=len(remarks[MOST_LINES:]),
        plot=script_data(rows, [_score_name(key) for key in scores], scores, groups, settings),
        chosen=first_axes(rows, scores, main),
        spreads=spreads,
        seeds=seeds,
        undrawn_seeds=max(0, len(seeds) - MOST_SEEDS),
        matrices=matrices,
        commands=made[:MOST_LINES],
        more_commands=len(made[MOST_LINES:]),
        faults=listed[:MOST_LINES] + ([f"and {len(listed) - MOST_LINES:,} more"] if len(listed) > MOST_LINES else []),
    )


def _drawn(rows: Sequence[SweepRun], groups: Sequence[str], name: str) -> list[SweepRun]:
    """Return the runs whose matrices of an assay are drawn: of more than MOST_DRAWN, the first of each group."""
    measured = [(row, group) for row, group in zip(rows, groups, strict=True) if name in row.assays]
    if len(measured) <= MOST_DRAWN:
        return [row for row, _ in measured]
    return list({group: row for row, group in reversed(measured)}.values())[::-1]


def _longest(column: tuple[str, Sequence[str]]) -> str:
    """Return the longest text of a column of settings, or word of its head."""
    return max((*column[1], column[0]), key=len)


def _scores(rows: Sequence[SweepRun]) -> list[Key]:
    """Return the scores that any run has, in the order of the catalog; those of foreign assays last."""
    positions = {name: position for position, name in enumerate(catalog.descriptions())}

    def order(key: Key) -> tuple[int, str, tuple[int, ...]]:
        return positions.get(key[0], len(positions)), key[0], description_of(key[0]).score_order(key[1])

    return sorted(dict.fromkeys(key for row in rows for key in row.scores), key=order)


def _score_name(key: Key) -> str:
    """Write a score with its assay."""
    return f"{humanize(key[0])}: {humanize(key[1])}"


def _column(rows: Sequence[SweepRun], key: Key, scores: Sequence[Key]) -> Column:
    cells: list[tuple[str, float | None]] = []
    for row in rows if len(rows) <= MOST_ROWS else []:
        value = row.scores.get(key)
        text = "–" if value is None else with_error(value, row.errors[key])
        cells.append((text, finite(value)))
    return Column(scores.index(key), key[0], _score_name(key), description_of(key[0]).meaning(key[1]), cells)


def _spreads(rows: Sequence[SweepRun], groups: Sequence[str], main: Sequence[Key]) -> tuple[list[Picture], list[str]]:
    """Draw a strip plot of each main score that is not the same in all runs; and a line for what cannot be drawn."""
    plots, faults = [], []
    for key in main:
        values: dict[str, list[strip_plot.Dot]] = {group: [] for group in groups}
        for row, group in zip(rows, groups, strict=True):
            value = finite(row.scores.get(key))
            if value is not None:
                values[group].append(strip_plot.Dot(value, row.errors[key], hollow=key[0] in row.remarks))
        if len({value for group_values in values.values() for value, _, _ in group_values}) > 1:
            title, meaning = _score_name(key), description_of(key[0]).meaning(key[1])
            try:
                with style.plot_style():
                    alt = f"{title}: a dot a run with its error, hollow with a remark; a line at the median of a group."
                    plots.append(pictures.as_picture(strip_plot.figure(title, values), alt, caption=meaning))
            except Exception as error:  # drawing raises anything, for numbers that a file may hold
                faults.append(f"{title}: its spread cannot be drawn ({pictures.reason(error)})")
    return plots, faults
