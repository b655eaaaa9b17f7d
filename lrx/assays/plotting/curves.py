"""Curves with bars of their standard errors, and rows of a heat map below them, in the style of lrx."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lrx.assays.plotting import style
from lrx.core.types import Array

MARKERS = "os^Dv"
LABELS = 12  # of the rows of a heat map, at most


def draw_curves(axes: Axes, x: np.ndarray, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Draw curves by their labels, values (X,) and standard errors (X,) over x (X,); values not finite are left out."""
    shades = colormaps[style.SEQUENTIAL](np.linspace(0.1, 0.9, max(2, len(curves))))
    for (label, (values, se)), shade, marker in zip(curves.items(), shades, MARKERS, strict=False):
        drawn = np.isfinite(values)
        colour = style.ACCENT if marker == MARKERS[0] else shade
        axes.errorbar(
            x[drawn],
            values[drawn],
            yerr=np.nan_to_num(se[drawn]),
            marker=marker,
            markersize=3.5,
            linewidth=1.2,
            elinewidth=0.8,
            color=colour,
            label=label,
        )
    if len(curves) > 1:
        axes.legend(frameon=False, fontsize=7, handlelength=1.6, borderpad=0.2, labelspacing=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def draw_rows(axes: Axes, array: Array, labels: np.ndarray, *, top: float | None = None) -> None:
    """Draw an array (X, C) as a heat map, a row for each x with its label, and a column for each channel or latent."""
    values = array.values
    finite = values[np.isfinite(values)]
    _, highest = style.shared("rows", 0.0, float(finite.max(initial=0)) if top is None else top)
    image = axes.imshow(
        values, cmap=style.SEQUENTIAL, vmin=0, vmax=highest or 1.0, interpolation="nearest", aspect="auto"
    )
    every = -(-len(labels) // LABELS)
    axes.set_yticks(range(0, len(labels), every), [f"{label:g}" for label in labels[::every]], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 4, 8, 10]))
    axes.set_xlabel(array.axes[1], labelpad=1)
    axes.set_ylabel(array.axes[0])
    bar = axes.inset_axes((1.02, 0, 0.02, 1))
    assert axes.figure is not None
    axes.figure.colorbar(image, cax=bar).outline.set_visible(False)
    bar.tick_params(labelsize=7)
