"""Responses of a sparse code as histograms over features, from a results file alone."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.core.text import with_error
from lrx.core.types import AssayResult
from lrx.storage import results

PANELS = {"gain": "gain", "obeyed": "share of draws obeyed", "selectivity": "selectivity"}
BINS = 40
WIDEST = 2.0  # gain, at most; larger ones stand in the last bin


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the number of features over gain, share of draws that are obeyed, and selectivity."""
    figure = style.figure(8.4, 3.4)
    first = None
    for place, (name, label) in enumerate(PANELS.items()):
        axes = figure.add_axes((0.07 + 0.31 * place, 0.15, 0.26, 0.55))
        values = result.arrays[name].values
        values = values[np.isfinite(values)]
        top = min(WIDEST, max(1.0, float(values.max(initial=0)))) * 1.02
        axes.hist(values.clip(0, top), bins=BINS, range=(0, top), color=style.ACCENT)
        axes.set_xlabel(f"{label}{f' (the last bin: {top:.3g} and above)' if values.max(initial=0) > top else ''}")
        axes.spines[["top", "right"]].set_visible(False)
        first = first or axes
    assert first is not None
    first.set_ylabel("features")
    style.title(first, "Responses of a sparse code", _caption(result, provenance), characters=120)
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
