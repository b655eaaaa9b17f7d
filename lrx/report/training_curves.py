"""Training curves: small plots of the logged scalars over steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lrx.assays.plotting import style

CAPTION = "Good: losses that converge; bad: still decreasing at the end, or unstable."
COLUMNS = 3  # panels in a row
LINES = ((style.ACCENT, "-"), ("#2166ac", "--"))  # of each log
MOST = 24  # panels; a log may hold any number of scalars
WIDE, HIGH = 2.5, 1.5  # inches of a panel
ACROSS, DOWN = 0.65, 0.65  # inches between panels
STEEP = 20.0  # ratio of largest to smallest value above which the scale is logarithmic


def figure(
    *logs: Sequence[dict[str, float]], looks: Sequence[tuple[str, str]] = LINES, labels: Sequence[str] = ()
) -> Figure:
    """Draw the rows of `lrx.training.metrics_log.read`, of several logs in the same panels.

    Scalars that never change are left out, except the loss, and those beyond MOST, which the last panel says. looks:
    colour and dashes of each log. labels: names of the different ones in their order, for a legend.
    """
    names = [name for name in dict.fromkeys(key for rows in logs for row in rows for key in row) if name != "step"]
    steps = {name: [[row["step"] for row in rows if name in row] for rows in logs] for name in names}
    lines_of = {name: [[row[name] for row in rows if name in row] for rows in logs] for name in names}
    values = {name: np.concatenate(lines_of[name]).astype(np.float64) for name in names}
    names = [name for name in names if name == "loss" or len(np.unique(values[name])) > 1]
    names, all_names = names[:MOST], names
    columns, lines = min(COLUMNS, len(names)), -(-len(names) // COLUMNS)
    width, height = columns * (WIDE + ACROSS), lines * (HIGH + DOWN)
    drawn = style.figure(width, height)
    for index, name in enumerate(names):
        line, column = divmod(index, COLUMNS)
        left, bottom = ACROSS + column * (WIDE + ACROSS), (lines - 1 - line) * (HIGH + DOWN) + 0.35
        axes = drawn.add_axes((left / width, bottom / height, WIDE / width, HIGH / height))
        for at, line_values, (colour, dashes) in zip(steps[name], lines_of[name], looks, strict=False):
            marker = "." if len(at) < 3 else ""
            axes.plot(at, line_values, color=colour, linestyle=dashes, linewidth=1.2, marker=marker)
        axes.set_title(name.replace("_", " "), fontsize=9, loc="left", pad=4)
        finite = values[name][np.isfinite(values[name])]
        if len(finite) and finite.min() > 0 and finite.max() > STEEP * finite.min():
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")  # the default one writes TeX, which the style does not render
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        if line == lines - 1 or index + COLUMNS >= len(names):
            axes.set_xlabel("step", labelpad=1)
    if len(all_names) > MOST:
        drawn.axes[-1].set_xlabel(f"step; {MOST} of {len(all_names)} scalars are drawn", labelpad=1)
    if labels:
        different = dict(zip(looks, drawn.axes[0].lines, strict=False))
        drawn.axes[0].legend([*different.values()][: len(labels)], labels, fontsize=7, frameon=False)
    return drawn
