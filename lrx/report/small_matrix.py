"""A response matrix as a small heat map, to lie beside those of other runs: same colours for same values."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.core.types import AssayResult

SIDE = 1.7  # inches
LABELLED = 12  # up to so many rows or columns have their names


def figure(result: AssayResult) -> Figure:
    """A heat map of the array `matrix`, without numbers.

    Colours reach to what a latent of unit variance answers to itself: 1 on the scale half, sqrt(2) on others.
    """
    matrix = result.arrays["matrix"]
    rows, columns = matrix.values.shape
    if 0 in matrix.values.shape:
        raise ValueError(f"its matrix is {rows} x {columns}")
    high = min(SIDE, SIDE * rows / columns)
    top = 1.0 if result.settings.get("normalization") in ("half", "std") else math.sqrt(2)
    drawn = style.figure(SIDE + 1.0, high + 0.5)
    axes = drawn.add_axes((0.8 / (SIDE + 1.0), 0.25 / (high + 0.5), SIDE / (SIDE + 1.0), high / (high + 0.5)))
    axes.imshow(matrix.values, cmap=style.SEQUENTIAL, vmin=0, vmax=top, interpolation="nearest", aspect="auto")
    for axis, name, size in ((axes.yaxis, matrix.axes[0], rows), (axes.xaxis, matrix.axes[1], columns)):
        labels = [str(label).replace("_", " ") for label in result.coordinates.get(name, np.arange(size))]
        axis.set_ticks(range(size), labels) if size <= LABELLED else axis.set_ticks([])
    axes.tick_params(length=0, labelsize=7, pad=2)
    return drawn
