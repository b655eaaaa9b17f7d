"""Matrices as heat on a terminal: a cell's colour says its value a second time, and its standard error stands below.

Without colours, as in a pipe or with NO_COLOR, the numbers alone stay. Large matrices are split to fit the width, and
very large ones cut to the places with the largest values, which a line above them says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lrx.core.text import humanize, printable

if TYPE_CHECKING:
    from lrx.core.types import Array, AssayResult  # which imports torch, and tables need none

DIGITS = 5  # characters of a number
FRAME, CELL = 3, DIGITS + 2  # characters of a table beside its names of rows and cells, and of a cell with its frame
NAME, FOLDED = 15, 7  # characters of a row's name, and where it takes two lines so that one table holds all columns
MOST = 24  # rows, and columns, that are shown
MARK = "▾"  # of an informative latent, as in the picture
# cividis in twelve steps (Nuñez et al. 2018), from dark to light
HEAT = ["#00224e", "#02306c", "#2a3f6d", "#434e6c", "#575d6d", "#696d71"]
HEAT += ["#7c7b78", "#918c78", "#a69d75", "#bcae6c", "#d3c164", "#ebd45a"]
LIGHT = 7  # the first step with black on it; those below become black, blue and dark grey where there are 16 colours


def across(result: AssayResult, width: int) -> int:
    """How many columns of the array `matrix` fit so many characters, at least one."""
    matrix = result.arrays["matrix"]
    longest = max(len(label) for label in _labels(result, matrix, 0))
    all_columns = min(matrix.values.shape[1], MOST)
    whole, folded = (max(1, (width - FRAME - min(longest, room)) // CELL) for room in (NAME, FOLDED))
    return all_columns if folded >= all_columns else whole


def heat_tables(name: str, result: AssayResult, columns: int) -> Iterator[RenderableType]:
    """The array `matrix`, a colour for each cell and the standard error below, so many columns in a table."""
    matrix = result.arrays["matrix"]
    values_RC = matrix.values
    errors_RC = result.arrays["matrix_se"].values if "matrix_se" in result.arrays else np.full(values_RC.shape, np.nan)
    row_names, column_names = (_labels(result, matrix, axis) for axis in (0, 1))
    top = float(values_RC[np.isfinite(values_RC)].max(initial=1.0))
    rows, shown = _shown(values_RC)
    cut = [
        f"{len(kept)} of {size} {kind}"
        for kept, size, kind in zip((rows, shown), values_RC.shape, ("rows", "columns"), strict=True)
        if len(kept) < size
    ]
    if cut:
        yield _text(f"shown are {' and '.join(cut)}, those with the largest values; the picture has all", "bold")
    marked, rule = _informative(result, matrix)
    parts = [shown[start : start + columns] for start in range(0, len(shown), columns)]
    for part in parts:
        title = humanize(name) + (" ± standard error" if "matrix_se" in result.arrays else "")
        if len(parts) > 1:
            title += f", {matrix.axes[1]} {column_names[part[0]]} to {column_names[part[-1]]}"
        caption = f"row: {matrix.axes[0]}, column: {matrix.axes[1]}"
        told = [caption, *([f"{MARK} informative{rule and f': {rule}'}"] if marked.intersection(part) else [])]
        table = Table(
            title=_text(title, "italic"),
            caption=Text("\n").join(_text(line, "dim italic") for line in told),
            padding=(0, 0, 0, 1),
        )
        table.add_column("", overflow="fold")  # names of factors take two lines rather than lose their end
        for place in part:
            mark = MARK if place in marked else ""
            table.add_column(
                _text(f"{mark}{column_names[place]}"), justify="right", overflow="fold", max_width=DIGITS + 1
            )
        for row in rows:
            cells = [_cell(float(values_RC[row, place]), float(errors_RC[row, place]), top) for place in part]
            table.add_row(_text(humanize(row_names[row])), *cells)
        yield table


def unfit(result: AssayResult) -> str:
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


def _labels(result: AssayResult, matrix: Array, axis: int) -> list[str]:
    size = matrix.values.shape[axis]
    return [str(label) for label in np.atleast_1d(result.coordinates.get(matrix.axes[axis], np.arange(size)))]


def _shown(values_RC: np.ndarray) -> tuple[list[int], list[int]]:
    """Rows and columns to show, in their order: all up to MOST, else those with the largest values.

    Of a square matrix, whose rows and columns are the same latents, both are the same.
    """
    finite_RC = np.where(np.isfinite(values_RC), values_RC, -np.inf)
    strengths = [finite_RC.max(axis=1), finite_RC.max(axis=0)]
    if values_RC.shape[0] == values_RC.shape[1]:
        strengths = [np.maximum(*strengths)] * 2
    rows, columns = (sorted(map(int, np.argsort(-strength, kind="stable")[:MOST])) for strength in strengths)
    return rows, columns


def _informative(result: AssayResult, matrix: Array) -> tuple[set[int], str]:
    """The columns of informative latents, and the rule by which they are, as the file has it."""
    said = result.arrays.get("informative")
    fits = said is not None and said.axes == matrix.axes[1:] and said.values.shape == matrix.values.shape[1:]
    if said is None or not fits or said.values.dtype.kind not in "iufb":
        return set(), ""
    return {int(place) for place in np.flatnonzero(said.values)}, said.description.partition(": ")[2]


def _cell(value: float, se: float, top: float) -> Text:
    step = int(np.clip(np.nan_to_num(value / top), 0, 1) * (len(HEAT) - 1))
    colour = "#000000" if step >= LIGHT else "#ffffff"
    # an error is never said to be zero that is not
    error = "" if np.isnan(se) else f"\n{se:.0e}" if 0 < se < 0.0005 else f"\n{_number(se, 3)}"
    return Text(_number(value, 2) + error, f"{colour} on {HEAT[step]}")


def _number(value: float, decimals: int) -> str:
    """A number in DIGITS characters: with as many decimals, up to these, as fit; else its power of ten."""
    if not np.isfinite(value):
        return str(value)
    fixed = (f"{value:.{places}f}" for places in range(decimals, -1, -1))
    return next((text for text in fixed if len(text) <= DIGITS), f"{value:.0e}")


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)
