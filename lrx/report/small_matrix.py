"""Response matrix as a small heat map, with the same colours in all runs of a sweep."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.core.types import AssayResult

SIDE = 1.7  # inches
DIVERGING = "RdBu_r"  # of differences
LABELLED = 12  # rows or columns up to which they have labels


def figure(result: AssayResult, *, difference: bool = False) -> Figure:
    """Draw a heat map of the array `matrix`, without numbers.

    Colours reach to the self-response of a latent of unit variance: 1 on the scale half, sqrt(2) on others; those of
    a difference of matrices to half of it on both sides of 0.
    """
    matrix = result.arrays["matrix"]
    rows, columns = matrix.values.shape
    if 0 in matrix.values.shape:
        raise ValueError(f"its matrix is {rows} x {columns}")
    high = min(SIDE, SIDE * rows / columns)
    top = 1.0 if result.settings.get("normalization") in ("half", "std") else math.sqrt(2)
    drawn = style.figure(SIDE + 1.0, high + 0.5)
    axes = drawn.add_axes((0.8 / (SIDE + 1.0), 0.25 / (high + 0.5), SIDE / (SIDE + 1.0), high / (high + 0.5)))
    colours, least, most = (DIVERGING, -top / 2, top / 2) if difference else (style.SEQUENTIAL, 0.0, top)
    axes.imshow(matrix.values, cmap=colours, vmin=least, vmax=most, interpolation="nearest", aspect="auto")
    for axis, name, size in ((axes.yaxis, matrix.axes[0], rows), (axes.xaxis, matrix.axes[1], columns)):
        labels = [str(label).replace("_", " ") for label in result.coordinates.get(name, np.arange(size))]
        axis.set_ticks(range(size), labels) if size <= LABELLED else axis.set_ticks([])
    axes.tick_params(length=0, labelsize=7, pad=2)
    return drawn
