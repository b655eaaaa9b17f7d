"""Strip plot of a score over a sweep: a row of dots for each group of runs that differ in their seed alone."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lrx.assays.plotting import style

WIDE, ROW = 3.2, 0.4  # inches of the panel, and of a group
TICKS = 5  # at most, so that long numbers do not touch


class Dot(NamedTuple):
    """Value of a run with its standard error (NaN: none); hollow where its assay has a remark."""

    value: float
    error: float
    hollow: bool = False


def figure(title: str, values: Mapping[str, Sequence[Dot]]) -> Figure:
    """Draw each group's values as dots with standard errors, and a line at their median.

    A group without values keeps its row.
    """
    names = [textwrap.shorten(name, 44, placeholder=" …") for name in values]
    left, high = 0.1 + 0.075 * max(map(len, names)), ROW * len(names)
    width, height = left + WIDE + 0.2, high + 0.8
    drawn = style.figure(width, height)
    axes = drawn.add_axes((left / width, 0.35 / height, WIDE / width, high / height))
    for row, group in enumerate(values.values()):
        if group:
            scores, errors = (np.array([dot[part] for dot in group]) for part in (0, 1))
            # a fixed pattern separates dots of equal runs
            heights = row + 0.12 * (np.arange(len(scores)) % 3 - 1)
            errors = np.nan_to_num(errors, posinf=0)
            axes.errorbar(scores, heights, xerr=errors, fmt="none", ecolor=style.ACCENT, elinewidth=0.8, alpha=0.65)
            fills = ["white" if dot.hollow else style.ACCENT for dot in group]
            axes.scatter(scores, heights, s=25, c=fills, edgecolors=style.ACCENT, linewidths=0.8, alpha=0.65, zorder=3)
            axes.plot([np.median(scores)] * 2, [row - 0.32, row + 0.32], color="black", linewidth=1.4)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.08)
    counts = all(dot.value.is_integer() for group in values.values() for dot in group)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=TICKS, integer=counts))
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(title, fontsize=9, loc="left", pad=5)
    return drawn
