"""Cause and isolation of each factor, with their errors and what decoder and reader allow."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.core.text import humanize
from lrx.core.types import AssayResult
from lrx.storage import results

ROW = 0.42  # inches of a factor
LOOKS = {"cause": (style.ACCENT, "o", -0.13), "isolation": ("#20456b", "s", 0.13)}


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file."""
    factors = [str(name) for name in result.coordinates["factor"]]
    high, width = ROW * len(factors), 6.75
    height = high + 1.75
    figure = style.figure(width, height)
    axes = figure.add_axes((1.75 / width, 0.5 / height, (width - 1.95) / width, high / height))
    for name, (colour, marker, shift) in LOOKS.items():
        _marks(axes, result, name, colour, marker, shift)
    named = result.arrays["named"].values
    labels = [
        f"{humanize(factor)}  ({', '.join(map(str, np.flatnonzero(row))) or 'none'})"
        for factor, row in zip(factors, named, strict=True)
    ]
    axes.set_yticks(range(len(factors)), labels)
    axes.set_ylim(len(factors) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of pairs; behind each factor the latents that are exchanged")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, fontsize=8, borderpad=0)
    style.title(axes, "Interchange interventions", _caption(result, provenance), characters=95, above=22)
    return {"interchange": figure}


def _marks(axes: Axes, result: AssayResult, name: str, colour: str, marker: str, shift: float) -> None:
    """Draw a filled mark with its error for each factor, and a hollow one for its ceiling."""
    rows = np.arange(len(result.coordinates["factor"])) + shift
    values, errors = (result.arrays[key].values for key in (name, f"{name}_se"))
    axes.errorbar(
        values, rows, xerr=np.nan_to_num(errors), color=colour, marker=marker, markersize=5, linestyle="", label=name
    )
    ceiling = result.arrays[f"ceiling_{name}"].values
    axes.plot(ceiling, rows, marker, markersize=7, markerfacecolor="none", color=colour, label=f"{name}, ceiling")


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    return figure_caption(
        result,
        provenance,
        f"{settings['num_pairs']:,} pairs ± standard error",
        f"read by {settings['reader']}",
        f"latents with a response of at least {settings['threshold']:g} of the factor's largest",
    )
