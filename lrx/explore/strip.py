"""Strip of views: what was seen, side by side, with the responses that belong to it.

The same views give the same file. In a panel, a bar is the response h of a unit, the thin line its response at the base
image alone, and an arrow leads from the value that was set to the response that was read.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.explore.about import pixels
from lrx.explore.commands import MOST
from lrx.explore.session import Session
from lrx.explore.view import View

FORMATS = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
PANEL, ROW, COLUMNS = 1.5, 0.17, 8  # inches of a panel and of a unit; panels side by side
SET, READ, BASE = "#d55e00", "#0072b2", style.QUIET  # Okabe and Ito


def draw(session: Session, views: Sequence[View], units: Sequence[int], kind: str) -> bytes:
    """Draw views as a file of one of FORMATS, with the first `MOST` of these units."""
    units = list(units[:MOST])
    seen, base = session.see(views), session.see([View(view.image) for view in views])
    columns, rows = min(COLUMNS, len(views)), -(-len(views) // COLUMNS)
    wide, high = PANEL + 0.2, PANEL + 0.55 + ROW * len(units)
    with style.plot_style():
        figure = style.figure(columns * wide + 0.2, rows * high + 0.1)
        for number, view in enumerate(views):
            row, column = divmod(number, COLUMNS)
            left, top = 0.25 + column * wide, (rows - row) * high - 0.25
            shown = _box(figure, left, top, PANEL - 0.1)
            shown.set_title(_broken(view.caption()), fontsize=6, pad=2)
            _observation(shown, seen.observations[number], base.observations[number])
            if units:
                values = (part[number, units] for part in (seen.z_NU, seen.h_NU, base.z_NU, base.h_NU))
                _bars(_box(figure, left, top - PANEL - 0.05, ROW * len(units)), session, units, *values)
        return style.content(figure, kind, dpi=style.DPI)


def _box(figure: Figure, left: float, top: float, high: float) -> Axes:
    """Return axes as wide as a panel, in inches from the left and from below."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, (top - high) / height, (PANEL - 0.1) / width, high / height))


def _observation(axes: Axes, observed: np.ndarray, base: np.ndarray) -> None:
    if observed.dtype == np.uint8:
        axes.imshow(pixels(observed), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_axis_off()
        return
    axes.plot(base.reshape(-1), color=BASE, linewidth=0.7)
    axes.plot(observed.reshape(-1), color=READ, linewidth=1, marker="o" if observed.size <= 12 else "", markersize=3)
    axes.tick_params(labelsize=5, length=2)


def _bars(
    axes: Axes,
    session: Session,
    units: list[int],
    z_U: np.ndarray,
    h_U: np.ndarray,
    base_z_U: np.ndarray,
    base_h_U: np.ndarray,
) -> None:
    places = np.arange(len(units))
    axes.barh(places, h_U, height=0.5, color=READ, alpha=0.75)
    axes.vlines(base_h_U, places - 0.4, places + 0.4, color=BASE, linewidth=0.8)
    for place in places[np.abs(z_U - base_z_U) > 1e-6]:
        arrow = {"arrowstyle": "->", "color": SET, "lw": 1, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (h_U[place], place), (z_U[place], place), arrowprops=arrow)
        axes.plot(z_U[place], place, "o", color=SET, markersize=3, fillstyle="none")
    low, high = float(session.scale.low_U[units].min()), float(session.scale.high_U[units].max())
    axes.set_xlim(min(low, h_U.min(), z_U.min()), max(high, h_U.max(), z_U.max()))
    axes.set_ylim(len(units) - 0.5, -0.5)
    axes.set_yticks(places, [str(unit) for unit in units], fontsize=5)
    axes.tick_params(labelsize=5, length=2, pad=1)
    axes.axvline(0, color=BASE, linewidth=0.4)
    axes.spines[["top", "right"]].set_visible(False)


def _broken(caption: str, letters: int = 34) -> str:
    return "\n".join(textwrap.wrap(caption.replace(", ", " · "), letters)[:3])
