"""Responses of a sparse code as histograms over features, from a results file alone."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.core.rounding import plus_minus
from lrx.core.text import with_error
from lrx.core.types import AssayResult
from lrx.storage import results

PANELS = {"gain": "gain", "obeyed": "share of draws obeyed", "selectivity": "selectivity"}
BINS = 40
WIDE = 5.0  # inches from which the panels lie side by side
LEFT, HIGH, BELOW = 0.45, 1.4, 0.65  # inches beside, of and below a panel
WIDEST = 2.0  # gain, at most; larger ones stand in the last bin


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the number of features over gain, share of draws that are obeyed, and selectivity."""
    width = style.width(style.DOUBLE)
    columns = len(PANELS) if width >= WIDE else 1
    wide, height = width / columns - LEFT, len(PANELS) // columns * (HIGH + BELOW)
    figure = style.figure(width, height)
    first = None
    for place, (name, label) in enumerate(PANELS.items()):
        row, column = divmod(place, columns)
        left, bottom = LEFT + column * (wide + LEFT), height - row * (HIGH + BELOW) - HIGH
        axes = figure.add_axes((left / width, bottom / height, wide / width, HIGH / height))
        values = result.arrays[name].values
        values = values[np.isfinite(values)]
        largest = float(values.max(initial=0))
        top = min(WIDEST, max(1.0, largest)) * 1.02
        axes.hist(values.clip(0, top), bins=BINS, range=(0, top), color=style.ACCENT)
        axes.set_xlabel(label + (f" ({top:.3g} and more in the last bin)" if largest > top else ""))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        if len(values):
            mean, error = result.scores[f"mean_{name}"], result.scores[f"mean_{name}_se"]
            axes.axvline(mean, color="black", linewidth=0.8, linestyle=(0, (4, 3)))
            axes.set_title(f"mean {plus_minus(mean, error)}", fontsize=style.SMALL, loc="left", pad=3)
        if column == 0:
            axes.set_ylabel("features")
        first = first or axes
    assert first is not None
    heading(first, "Responses of a sparse code", _caption(result, provenance), above=11)
    return {"sparse_response": figure}


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    scores, settings = result.scores, result.settings
    means = [
        f"{label} {with_error(scores[f'mean_{name}'], scores[f'mean_{name}_se'])}"
        for name, label in (("gain", "mean gain"), ("obeyed", "obeyed"), ("selectivity", "selectivity"))
    ]
    return figure_caption(
        result,
        provenance,
        f"values {settings['values']}",
        f"up to {settings['num_samples']} draws of a feature",
        f"{scores['num_measured']:,.0f} features with draws",
        *means,
        f"active on a vector {with_error(scores['num_active'], scores['num_active_se'])}",
        f"hidden overlap {scores['num_hidden_overlap']:,.0f}",
    )
