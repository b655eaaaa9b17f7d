"""Maps of the metrics, latents by factors, one below the other over the same factors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lrx.assays.plotting import style
from lrx.core.text import humanize
from lrx.core.types import AssayResult

ANNOTATED = 16  # latents, at most, that have labels
CELL, HIGH = 14.0, 8.5  # points across and down of a cell that holds its number
LETTER, LINE = 4.0, 8.0  # points of a letter, and of a line of labels that stand upright


def draw_maps(
    axes_of: Mapping[str, Axes], result: AssayResult, titles: Mapping[str, str], *, cell: float, row: float
) -> None:
    """Draw arrays (D, F) of a result by name, with the factors below the last. cell, row: points of a cell."""
    for name, axes in axes_of.items():
        _draw_map(axes, result, name, numbers=cell >= CELL and row >= HIGH)
        unit = "" if result.arrays[name].unit == "1" else f" ({result.arrays[name].unit})"
        axes.set_title(titles[name] + unit, loc="left", pad=3)
        axes.set_xticks([])
    if axes_of:
        _name_factors(list(axes_of.values())[-1], result, cell)


def _draw_map(axes: Axes, result: AssayResult, name: str, *, numbers: bool) -> None:
    """Draw a map in colours that fit its values, from 0 on."""
    values = result.arrays[name].values
    latents = len(values)
    finite = values[np.isfinite(values)]
    low, top = style.shared(name, min(0.0, float(finite.min(initial=0))), float(finite.max(initial=1e-9)))
    image = axes.imshow(values, cmap=style.SEQUENTIAL, vmin=low, vmax=top, aspect="auto", interpolation="nearest")
    bar = axes.inset_axes((1.03, 0, 0.03, 1))
    assert axes.figure is not None
    axes.figure.colorbar(image, cax=bar).outline.set_visible(False)
    bar.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylabel("latent", labelpad=3)
    if latents > ANNOTATED:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 4, 8, 10]))
        return
    axes.set_yticks(range(latents), [str(label) for label in result.coordinates["latent"]])
    axes.tick_params(length=0)
    for (row, column), value in np.ndenumerate(values):
        if not numbers or np.isnan(value):
            continue
        colour = "black" if value > low + 0.5 * (top - low) else "white"
        text = f"{value:.2f}"
        written = axes.text(column, row, text, fontsize=style.SMALL, color=colour, ha="center", va="center_baseline")
        written.set_in_layout(False)  # inside the axes anyway; measuring hundreds of texts takes seconds


def _name_factors(axes: Axes, result: AssayResult, cell: float) -> None:
    """Write the names of factors, flat where they fit, upright where there are many, else aslant."""
    names = [humanize(str(label)) for label in result.coordinates["factor"]]
    every = max(1, -(-LINE // cell)) if cell < LINE else 1
    places = list(range(0, len(names), int(every)))
    turn = 0 if LETTER * max(map(len, names)) < cell else 90 if cell < 2 * LINE else 35
    axes.set_xticks(
        places,
        [names[place] for place in places],
        rotation=turn,
        ha={0: "center", 90: "center", 35: "right"}[turn],
        rotation_mode="anchor" if turn == 35 else "default",
    )
    axes.tick_params(axis="x", pad=2, length=0)
