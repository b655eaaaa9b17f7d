"""Cause and isolation of each factor, with their errors and what decoder and reader allow."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.core.text import humanize, join_names
from lrx.core.types import AssayResult
from lrx.storage import results

ROW = 0.34  # inches of a factor
WIDE = 5.0  # inches from which latents stand beside the names of factors
LOOKS = {"cause": (style.ACCENT, "o", -0.13), "isolation": ("#20456b", "s", 0.13)}


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file."""
    factors = [str(name) for name in result.coordinates["factor"]]
    width = style.width(style.DOUBLE)
    wide = width >= WIDE
    height, left = ROW * len(factors), 1.75 if wide else 1.1
    figure = style.figure(width, height)
    axes = figure.add_axes((left / width, 0, (width - left - 0.1) / width, 1))
    for name, (colour, marker, shift) in LOOKS.items():
        _marks(axes, result, name, colour, marker, shift)
    named = result.arrays["named"].values
    latents = [_listed(np.flatnonzero(row)) for row in named]
    space = "  " if wide else "\n"
    labels = [f"{humanize(factor)}{space}({which})" for factor, which in zip(factors, latents, strict=True)]
    axes.set_yticks(range(len(factors)), labels, linespacing=1.1)
    axes.set_ylim(len(factors) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of pairs")
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    marks = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    names = [label for name in LOOKS for label in (name, f"{name}, ceiling")]
    axes.legend(
        [marks[name] for name in names],
        names,
        loc="lower right" if wide else "lower center",
        bbox_to_anchor=(1, 1.0) if wide else (0.3, 1.0),
        ncols=4 if wide else 2,
        frameon=False,
        borderpad=0,
        columnspacing=1.2,
        handletextpad=0.4,
    )
    key = "brackets: the latents that are exchanged"
    heading(axes, "Interchange interventions", _caption(result, provenance), key=key, above=18 if wide else 30)
    return {"interchange": figure}


def _listed(latents: np.ndarray) -> str:
    """Return the numbers of latents, of many the first and how many more."""
    return join_names([str(latent) for latent in latents], 4) or "none"


def _marks(axes: Axes, result: AssayResult, name: str, colour: str, marker: str, shift: float) -> None:
    """Draw a filled mark with its error for each factor, and a hollow one for its ceiling."""
    rows = np.arange(len(result.coordinates["factor"])) + shift
    values, errors = (result.arrays[key].values for key in (name, f"{name}_se"))
    axes.errorbar(
        values, rows, xerr=np.nan_to_num(errors), color=colour, marker=marker, markersize=4, linestyle="", label=name
    )
    ceiling = result.arrays[f"ceiling_{name}"].values
    axes.plot(ceiling, rows, marker, markersize=6, markerfacecolor="none", color=colour, label=f"{name}, ceiling")


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    return figure_caption(
        result,
        provenance,
        f"{settings['num_pairs']:,} pairs ± standard error",
        f"read by {settings['reader']}",
        f"latents with a response of at least {settings['threshold']:g} of the factor's largest",
    )
