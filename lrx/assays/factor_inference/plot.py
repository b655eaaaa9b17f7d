"""Accuracy over the number of labels, one panel per factor."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.core.text import humanize
from lrx.core.types import AssayResult
from lrx.storage import results

COLUMNS = 3  # panels in a row
WIDE, HIGH = 2.3, 1.8  # inches of a panel
ACROSS, DOWN = 0.45, 0.75  # inches between panels
LOOKS = {
    "named": (style.ACCENT, "o", "latents that the factor names"),
    "all": ("#20456b", "s", "all latents"),
    "random": (style.QUIET, "^", "as many random latents"),
}


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file."""
    factors = [str(name) for name in result.coordinates["factor"]]
    columns = min(COLUMNS, max(2, len(factors)))
    rows = -(-len(factors) // columns)
    wide, high = columns * (WIDE + ACROSS) - ACROSS, rows * (HIGH + DOWN) - DOWN
    width, height = wide + 0.9, high + 1.7
    figure = style.figure(width, height)
    for place in range(len(factors)):
        row, column = divmod(place, columns)
        left, bottom = 0.6 + column * (WIDE + ACROSS), 0.5 + (rows - 1 - row) * (HIGH + DOWN)
        axes = figure.add_axes((left / width, bottom / height, WIDE / width, HIGH / height))
        _panel(axes, result, place)
        if column == 0:
            axes.set_ylabel("accuracy")
        else:
            axes.set_yticklabels([])
        if place + columns >= len(factors):
            axes.set_xlabel("labels")
    head = figure.add_axes((0.6 / width, (0.5 + high + 0.55) / height, wide / width, 0.01 / height))
    head.axis("off")
    handles, names = figure.axes[0].get_legend_handles_labels()
    head.legend(
        handles, names, loc="center left", bbox_to_anchor=(-0.01, 0), ncols=4, frameon=False, fontsize=8,
        handletextpad=0.4, columnspacing=1.2, borderpad=0,
    )  # fmt: skip
    style.title(head, "Factor inference", _caption(result, provenance), characters=int(17 * wide))
    return {"factor_inference": figure}


def _panel(axes: Axes, result: AssayResult, place: int) -> None:
    """Draw three lines with their standard errors, and the accuracy of guessing."""
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
    axes.axhline(result.arrays["chance"].values[place], color=style.QUIET, linewidth=0.8, linestyle=":", label="chance")
    axes.set_xscale("log")
    axes.set_xlim(labels.min() / 1.6, labels.max() * 1.6)
    axes.set_xticks(labels, [f"{count:,.0f}" for count in labels])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 1.04)
    axes.set_yticks([0, 0.5, 1])
    axes.spines[["top", "right"]].set_visible(False)
    chosen = np.flatnonzero(result.arrays["named"].values[place])
    listed = ", ".join(str(latent) for latent in chosen[:8]) + (" …" if len(chosen) > 8 else "")
    axes.set_title(humanize(str(result.coordinates["factor"][place])), fontsize=9, loc="left", pad=15)
    axes.annotate(
        f"names {listed}" if len(chosen) else "names no latent",
        (0, 1),
        xytext=(0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7,
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
