"""Accuracy over the number of labels, one panel per factor."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.core.text import humanize
from lrx.core.types import AssayResult
from lrx.storage import results

WIDE = 5.0  # inches from which there are three panels in a row, else two
HIGH, LEFT, ACROSS, DOWN = 1.15, 0.45, 0.42, 0.68  # inches of a panel in height, and around panels
LOOKS = {
    "named": (style.ACCENT, "o", "latents it names"),
    "all": ("#20456b", "s", "all latents"),
    "random": (style.QUIET, "^", "as many at random"),
}


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file: a panel for each factor, and the legend in a place of its own."""
    factors = [str(name) for name in result.coordinates["factor"]]
    width = style.width(style.DOUBLE)
    columns = min(3 if width >= WIDE else 2, len(factors) + 1)
    rows = -(-(len(factors) + 1) // columns)  # and a place for the legend
    wide = (width - LEFT - (columns - 1) * ACROSS) / columns
    height = rows * (HIGH + DOWN)
    figure = style.figure(width, height)

    def box(place: int) -> Axes:
        row, column = divmod(place, columns)
        left, bottom = LEFT + column * (wide + ACROSS), height - row * (HIGH + DOWN) - HIGH
        return figure.add_axes((left / width, bottom / height, wide / width, HIGH / height))

    panels = [box(place) for place in range(len(factors))]
    for place, axes in enumerate(panels):
        _panel(axes, result, place)
        if place % columns == 0:
            axes.set_ylabel("accuracy")
        if place + columns >= len(factors):
            axes.set_xlabel("labels")
    legend = box(len(factors))
    legend.axis("off")
    legend.legend(*panels[0].get_legend_handles_labels(), loc="center left", frameon=False, borderpad=0)
    key = "each panel has its own scale" if len(factors) > 1 else ""
    heading(panels[0], "Factor inference", _caption(result, provenance), key=key, above=20)
    return {"factor_inference": figure}


def _panel(axes: Axes, result: AssayResult, place: int) -> None:
    """Draw three lines with their standard errors, and the accuracy of guessing, on a scale that fits them."""
    labels = result.coordinates["labels"].astype(float)
    accuracy, se = (result.arrays[name].values[place] for name in ("accuracy", "accuracy_se"))
    for row, kind in enumerate(result.coordinates["latents"]):
        colour, marker, label = LOOKS[str(kind)]
        axes.errorbar(
            labels * 1.06 ** (row - 1),  # beside each other, so that equal ones are visible
            accuracy[row],
            yerr=np.nan_to_num(se[row]),
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1.2,
            elinewidth=0.8,
            label=label,
        )
    chance = float(result.arrays["chance"].values[place])
    axes.axhline(chance, color=style.QUIET, linewidth=0.8, linestyle=":", label="chance")
    axes.set_xscale("log")
    axes.set_xlim(labels.min() / 1.6, labels.max() * 1.6)
    axes.set_xticks(labels, [f"{count:,.0f}" for count in labels])
    axes.xaxis.set_minor_locator(NullLocator())
    values = np.append((accuracy + np.nan_to_num(se)).ravel(), chance)
    axes.set_ylim(0, min(1.04, 1.15 * float(np.nanmax(values))))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.spines[["top", "right"]].set_visible(False)
    chosen = np.flatnonzero(result.arrays["named"].values[place])
    listed = ", ".join(str(latent) for latent in chosen[:8]) + (" …" if len(chosen) > 8 else "")
    axes.set_title(humanize(str(result.coordinates["factor"][place])), loc="left", pad=12)
    best = float(np.nanmax(accuracy - 2 * np.nan_to_num(se)))
    axes.annotate(
        (f"names {listed}" if len(chosen) else "names no latent") + ("" if best > chance else "; all at chance"),
        (0, 1),
        xytext=(0, 3),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=style.SMALL,
        color=style.QUIET,
    )


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    return figure_caption(
        result,
        provenance,
        "logistic regression on codes",
        f"{settings['num_test']:,} held-out images",
        f"{settings['repeats']} repeats ± standard error",
        f"named: a response of at least {settings['threshold']:g} of the factor's largest",
    )
