"""Columns of scores beside rows of pictures: a dot with its standard error on a scale of the column, and its number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy

from lrx.assays.plotting import style
from lrx.assays.plotting.annotations import NONE
from lrx.core.rounding import first_digits

PLUS_MINUS = 36.0  # points of a column that holds a number and its error


def draw_column(
    axes: Axes,
    values: np.ndarray,
    errors: np.ndarray,
    head: str,
    *,
    points: float,
    top: float | None = None,
    doubtful: bool = False,
) -> None:
    """Draw values (R,) with their errors (R,) as dots from left, 0, to right, a row each, the first on top.

    head: above the column. points: its width. top: value at its right edge; None: the largest. doubtful: hollow dots.
    """
    bars = np.where(np.isfinite(errors), errors, 0.0)
    finite = np.isfinite(values)
    largest = float((np.abs(values) + bars)[finite].max(initial=0.0)) if top is None else top
    axes.set_xlim(min(0.0, float((values - bars)[finite].min(initial=0.0))), 1.02 * largest or 1.0)
    axes.set_ylim(len(values) - 0.5, -0.5)
    colour = style.QUIET if doubtful else style.ACCENT
    low = offset_copy(axes.transData, axes.get_figure(root=True), y=-5, units="points")
    high = offset_copy(axes.get_yaxis_transform(), axes.get_figure(root=True), y=4, units="points")
    for row, (value, bar) in enumerate(zip(values, bars, strict=True)):
        if not math.isfinite(value):
            axes.text(0.5, row, NONE, ha="center", va="center", color=style.QUIET, transform=axes.get_yaxis_transform())
            continue
        axes.plot(axes.get_xlim(), [row] * 2, color="#d5d8da", linewidth=0.6, transform=low, zorder=1)
        axes.plot([value - bar, value + bar], [row] * 2, color=colour, linewidth=1.2, transform=low, clip_on=False)
        fill = "white" if doubtful else colour
        axes.plot([value], [row], "o", color=colour, mfc=fill, markersize=3.5, transform=low, clip_on=False)
        number, error = first_digits(float(value), float(errors[row]))
        text = f"{number} ±{error.lstrip('0') or 0}" if error and points >= PLUS_MINUS else number
        axes.text(0.5, row, text, ha="center", va="center", fontsize=style.SMALL, transform=high)
    axes.set_title(head, fontsize=style.TICK, linespacing=1.1, pad=3)
    axes.axis("off")


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Write the names of rows that share the height of the axes, the first on top, left of them."""
    bottom, top = axes.get_ylim()
    for row, name in enumerate(names):
        place = top + (row + 0.5) / len(names) * (bottom - top)
        left = offset_copy(axes.get_yaxis_transform(), axes.get_figure(root=True), x=-5, units="points")
        axes.text(0, place, name, ha="right", va="center", fontsize=style.TICK, transform=left)
