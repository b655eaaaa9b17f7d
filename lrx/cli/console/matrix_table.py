"""Matrices as heat maps on a terminal: values with their standard errors below, and a colour for each value.

Without colours, as in a pipe or with NO_COLOR, the numbers stay. Wide matrices are split into tables that fit the
width; of very large ones the rows and columns with the largest values are shown.
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
FRAME, CELL = 3, DIGITS + 2  # characters of a table beside its row names and cells, and of a cell with its frame
OPEN_CELL = DIGITS + 1  # of a cell without a frame, where one table then has all columns beside names in one line
NAME = 20  # characters of a row's name, beyond which it takes two lines
MOST = 24  # rows, and columns, that are shown
MARK = "▾"  # of an informative latent, as in the picture
# cividis in twelve steps (Nuñez et al. 2018), from dark to light
HEAT = ["#00224e", "#02306c", "#2a3f6d", "#434e6c", "#575d6d", "#696d71"]
HEAT += ["#7c7b78", "#918c78", "#a69d75", "#bcae6c", "#d3c164", "#ebd45a"]
LIGHT = 7  # the first step with black on it; those below become black, blue and dark grey where there are 16 colours


def layout(result: AssayResult, width: int) -> tuple[int, bool]:
    """Return how many columns of the array `matrix` fit so many characters, at least one, and whether in a frame."""
    matrix = result.arrays["matrix"]
    longest = min(NAME, max(len(humanize(label)) for label in _labels(result, matrix, 0)))
    all_columns = min(matrix.values.shape[1], MOST)
    framed = max(1, (width - FRAME - longest) // CELL)
    is_open = framed < all_columns <= (width - longest) // OPEN_CELL
    return (all_columns, False) if is_open else (framed, True)


def heat_tables(name: str, result: AssayResult, width: int) -> Iterator[RenderableType]:
    """Yield the array `matrix` as tables that fit so many characters, each between its title and its caption."""
    matrix = result.arrays["matrix"]
    errors = result.arrays.get("matrix_se")
    errors_RC = np.full(matrix.values.shape, np.nan) if errors is None else errors.values
    row_names, column_names = (_labels(result, matrix, axis) for axis in (0, 1))
    highest = float(matrix.values[np.isfinite(matrix.values)].max(initial=1.0))
    rows, columns = _rows_and_columns(matrix.values)
    cuts = [
        f"{len(shown)} of {size} {kind}"
        for kind, shown, size in zip(("rows", "columns"), (rows, columns), matrix.values.shape, strict=True)
        if len(shown) < size
    ]
    if cuts:
        yield _text(f"shown are {' and '.join(cuts)}, those with the largest values; the picture has all", "bold")
    informative, criterion = _informative(result, matrix)
    count, is_framed = layout(result, width)
    for start in range(0, len(columns), count):
        part = columns[start : start + count]
        title = humanize(name) + ("" if errors is None else " ± standard error")
        if len(columns) > count:
            title += f", {matrix.axes[1]} {column_names[part[0]]} to {column_names[part[-1]]}"
        yield _text(title, "italic")
        table = Table(padding=(0, 0, 0, 1)) if is_framed else Table(box=None, padding=(0, 0, 0, 1), pad_edge=False)
        table.add_column("", overflow="fold", max_width=NAME)  # names take two lines rather than lose their end
        for column in part:
            head = _text(f"{MARK if column in informative else ''}{column_names[column]}")
            table.add_column(head, justify="right", overflow="fold", max_width=DIGITS + 1)
        for row in rows:
            cells = [_cell(float(matrix.values[row, c]), float(errors_RC[row, c]), highest) for c in part]
            table.add_row(_text(humanize(row_names[row])), *cells)
        yield table
        yield _text(f"row: {matrix.axes[0]}, column: {matrix.axes[1]}", "dim italic")
        if informative.intersection(part):
            yield _text(f"{MARK} informative" + (f": {criterion}" if criterion else ""), "dim italic")


def why_hidden(result: AssayResult) -> str:
    """Return why the array `matrix` is no heat map; empty where it is one, or there is none."""
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


def _rows_and_columns(values_RC: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the rows and columns to show, in their order: all up to MOST, else those with the largest values.

    Of a square matrix, whose rows and columns are the same latents, both are the same.
    """
    finite_RC = np.where(np.isfinite(values_RC), values_RC, -np.inf)
    strengths = [finite_RC.max(axis=1), finite_RC.max(axis=0)]
    if values_RC.shape[0] == values_RC.shape[1]:
        strengths = [np.maximum(*strengths)] * 2
    rows, columns = (sorted(map(int, np.argsort(-strength, kind="stable")[:MOST])) for strength in strengths)
    return rows, columns


def _informative(result: AssayResult, matrix: Array) -> tuple[set[int], str]:
    """Return the columns of informative latents, and the criterion that the file states."""
    array = result.arrays.get("informative")
    fits = array is not None and array.axes == matrix.axes[1:] and array.values.shape == matrix.values.shape[1:]
    if array is None or not fits or array.values.dtype.kind not in "iufb":
        return set(), ""
    return {int(place) for place in np.flatnonzero(array.values)}, array.description.partition(": ")[2]


def _cell(value: float, se: float, highest: float) -> Text:
    step = int(np.clip(np.nan_to_num(value / highest), 0, 1) * (len(HEAT) - 1))
    colour = "#000000" if step >= LIGHT else "#ffffff"
    # an error that is not zero is never rounded to zero
    error = "" if np.isnan(se) else f"\n{se:.0e}" if 0 < se < 0.0005 else f"\n{_number(se, 3)}"
    return Text(_number(value, 2) + error, f"{colour} on {HEAT[step]}")


def _number(value: float, decimals: int) -> str:
    """Write a number in DIGITS characters, with up to so many decimals; else as its power of ten."""
    if not np.isfinite(value):
        return str(value)
    fixed = (f"{value:.{places}f}" for places in range(decimals, -1, -1))
    return next((text for text in fixed if len(text) <= DIGITS), f"{value:.0e}")


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)
