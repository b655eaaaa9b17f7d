"""Results as tables on a terminal: matrices as heat, scores with their errors, settings, where it all comes from.

A cell's colour says its value a second time; without colours, as in a pipe or with NO_COLOR, the numbers alone stay.
What stands in a file is foreign: no markup of rich's and no control character of it reaches the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lrx.wording import printable, setting, with_error, words

if TYPE_CHECKING:
    from lrx.results import Results
    from lrx.types import AssayResult  # which imports torch, and tables need none

LEAST_NAME, LEAST_WORDS = 20, 56  # columns for the name of a run, and for its state and what there is to say of it
COLOURS = {"running": "cyan", "failed": "red", "interrupted": "yellow", "unknown": "magenta", "done": "green"}
Runs = Sequence[tuple[str, str, str]]  # name, state, and what there is to say
LARGEST = 1000  # from which a number is written with its power of ten
KEY = 30  # characters of a key, beyond which it takes two lines
CELL, BESIDE = 7, 18  # characters of a cell with its error and frame, and of the names of rows
# cividis in twelve steps (Nuñez et al. 2018), from dark to light
HEAT = ["#00224e", "#02306c", "#2a3f6d", "#434e6c", "#575d6d", "#696d71"]
HEAT += ["#7c7b78", "#918c78", "#a69d75", "#bcae6c", "#d3c164", "#ebd45a"]
LONG = ("config", "checkpoint_config")  # provenance that is a text of many lines


def whole_file(stored: Results, width: int) -> Iterator[RenderableType]:
    """All that a results file says, within so many characters; of large arrays only their names and axes."""
    for name, result in stored.assays.items():
        yield Rule(_text(words(name), "bold"), align="left", style="dim")
        if result.settings.get("remark"):
            yield _text(str(result.settings["remark"]), "yellow")
        unfit = _unfit(result)
        if unfit:
            yield _text(unfit, "yellow")
        elif "matrix" in result.arrays:
            yield from heat_tables(name, result, max(1, (width - BESIDE) // CELL))
        if result.scores:
            yield Padding(score_table({name: result}), (0, 0, 1, 0))
        known = [(key, setting(value)) for key, value in result.settings.items() if key != "remark"]
        yield _pairs("settings", known)
        arrays = [(key, zip(array.axes, array.values.shape, strict=True)) for key, array in result.arrays.items()]
        yield _pairs("arrays", [(key, " × ".join(f"{axis} {size}" for axis, size in axes)) for key, axes in arrays])
    yield Rule(_text("provenance", "bold"), align="left", style="dim")
    yield _pairs("", [(key, str(value)) for key, value in stored.provenance.items() if key not in LONG])


def heat_tables(name: str, result: AssayResult, across: int) -> Iterator[Table]:
    """The array `matrix`, a colour for each cell and the standard error below, `across` columns in a table."""
    matrix = result.arrays["matrix"]
    labels = [
        result.coordinates.get(axis, np.arange(size))
        for axis, size in zip(matrix.axes, matrix.values.shape, strict=True)
    ]
    errors = result.arrays["matrix_se"].values if "matrix_se" in result.arrays else np.full(matrix.values.shape, np.nan)
    top = float(matrix.values[np.isfinite(matrix.values)].max(initial=1.0))
    for start in range(0, len(labels[1]), across):
        part = slice(start, start + across)
        table = Table(
            title=_text(f"{words(name)} ± standard error", "italic"),
            caption=_text(f"row: {matrix.axes[0]}, column: {matrix.axes[1]}", "dim italic"),
            padding=(0, 0, 0, 1),
        )
        table.add_column("", overflow="fold")  # names of factors take two lines rather than lose their end
        for column in labels[1][part]:
            table.add_column(_text(str(column)), justify="right", overflow="fold")
        for label, values, ses in zip(labels[0], matrix.values[:, part], errors[:, part], strict=True):
            cells = [_cell(float(value), float(se), top) for value, se in zip(values, ses, strict=True)]
            table.add_row(_text(words(str(label))), *cells)
        yield table


def _unfit(result: AssayResult) -> str:
    """Why the array `matrix` is no heat map, empty where it is one or there is none."""
    shapes = {key: result.arrays[key].values for key in ("matrix", "matrix_se") if key in result.arrays}
    for key, values in shapes.items():
        if values.ndim != 2 or values.dtype.kind not in "iufb" or values.shape != shapes["matrix"].shape:
            size = " × ".join(map(str, values.shape)) or "one number"
            kind = "" if values.dtype.kind in "iufb" else " of text"
            return f"{key} is not shown: it is {size}{kind}, not a matrix of numbers as large as its coordinates"
        for axis, places in zip(result.arrays[key].axes, values.shape, strict=True):
            if len(np.atleast_1d(result.coordinates.get(axis, np.arange(places)))) != places:
                return f"{key} is not shown: its axis {axis} has {places} places, and other coordinates"
    return "matrix is not shown: it is empty" if "matrix" in shapes and not shapes["matrix"].size else ""


def score_table(assays: Mapping[str, AssayResult]) -> Table:
    """All scores with their errors, under the name of their assay where there are several."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, result in assays.items():
        if len(assays) > 1:
            table.add_row(_text(words(name), "bold"))
        for key, value in result.scores.items():
            if not (key.endswith("_se") and key.removesuffix("_se") in result.scores):
                table.add_row(_text(words(key)), with_error(value, result.scores.get(f"{key}_se")))
    return table


def _cell(value: float, se: float, top: float) -> Text:
    place = int(np.clip(np.nan_to_num(value / top), 0, 1) * (len(HEAT) - 1))
    colour = "#000000" if place >= len(HEAT) // 2 else "#ffffff"
    said = f"{value:.2f}" if abs(value) < LARGEST or not np.isfinite(value) else f"{value:.0e}"
    error = f"{se:.3f}" if se < LARGEST / 10 or not np.isfinite(se) else f"{se:.0e}"
    return Text(said + ("" if np.isnan(se) else f"\n{error}"), f"{colour} on {HEAT[place]}")


def _pairs(title: str, rows: Sequence[tuple[str, str]]) -> Padding:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", overflow="fold", max_width=KEY)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(_text(words(name)), _text(value))
    parts = [Text(title, "underline dim"), table] if title else [table]
    return Padding(Group(*parts), (0, 0, 1, 0))


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)


def runs_table(heading: str, runs: Runs, *, most: int, width: int) -> list[RenderableType]:
    """The heading, a row for each of the first runs, each in one line, and how many more there are."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    widest = max(LEAST_NAME, width - LEAST_WORDS)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()  # which rich makes narrow, as the others are not to wrap
    for name, state, said in runs[:most]:
        known = name if cell_len(name) <= widest else f"{name[: widest - 8]}…{name[-7:]}"  # the end tells runs apart
        table.add_row(
            Text(known), Text(state, COLOURS.get(state, "dim")), Text(said, no_wrap=True, overflow="ellipsis")
        )
    more = [Text(f"and {len(runs) - most:,} more", "dim")] if len(runs) > most else []
    return [Text(heading, "bold"), *([table] if runs else []), *more]
