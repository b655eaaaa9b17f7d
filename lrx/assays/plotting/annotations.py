"""Numbers with their standard errors in pictures: one above the other, in the cells of a matrix."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

NONE = "–"  # where a number is not defined
WITH_ERROR, LEAST_CELL = 24.0, 14.0  # points of a cell that holds a value and its error, and a value alone
ROOMY = 30.0  # points of a cell whose error has its leading zero
TINY = 0.0005  # errors below are not written out


def error_digits(error: float, decimals: int = 2) -> str:
    """Write a standard error with so many decimals, or with one digit where those would all be zero.

    >>> error_digits(0.0312), error_digits(0.0021), error_digits(0.0)
    ('0.03', '0.002', '0.00')
    """
    return f"{error:.{decimals}f}" if error == 0 or error >= 0.5 * 10**-decimals else f"{error:.1g}"


def annotate(
    figure: Figure, axes: Axes, matrix: np.ndarray, se: np.ndarray, top: float, *, cell: float = WITH_ERROR
) -> None:
    """Write the value of each cell, and its standard error below where cells are wide enough, else no leading zero.

    top: the value of the brightest colour. cell: width of a cell in points; below LEAST_CELL nothing is written.
    """
    if cell < LEAST_CELL:
        return
    above, below = (offset_copy(axes.transData, figure, y=points, units="points") for points in (4, -6))
    for (row, column), value in np.ndenumerate(matrix):
        if cell >= WITH_ERROR:
            parts = [(f"{value:.2f}", 8.0, above), (_below(float(se[row, column]), cell), 6.0, below)]
        else:
            parts = [(f"{value:.2f}".lstrip("0"), 6.0, axes.transData)]
        for text, size, place in parts:
            written = axes.text(
                column, row, text, fontsize=size, color="black" if value > 0.5 * top else "white", ha="center",
                va="center", transform=place,
            )  # fmt: skip
            written.set_in_layout(False)  # inside the axes anyway; measuring hundreds of texts takes seconds


def _below(error: float, cell: float) -> str:
    """Return the error of a cell, without its leading zero where cells are narrow."""
    tiny = TINY if cell >= ROOMY else 2 * TINY
    if 0 < error < tiny:
        return f"<{tiny:g}".replace("0.", ".")
    text = error_digits(error)
    return f"±{text.lstrip('0') if cell < ROOMY else text}"


def write_text(
    axes: Axes,
    where: tuple[float, float],
    points: tuple[float, float],
    text: str,
    *,
    size: float,
    align: str = "center",
    colour: str = "black",
) -> None:
    """Write text at a place in fractions of the axes, moved by so many points right and up."""
    axes.annotate(
        text,
        where,
        xytext=points,
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=size,
        color=colour,
        ha=align,
        va="center",
        annotation_clip=False,
    )
