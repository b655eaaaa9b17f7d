"""Spatial response as one picture, from a results file alone: bars of channels above, heat maps and reach below."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption, informative
from lrx.assays.plotting.heading import heading
from lrx.core.types import AssayResult
from lrx.storage import results

WIDE = 5.0  # inches from which the four panels lie side by side, else two by two
BARS, BELOW, LEFT = 1.0, 0.75, 0.45  # inches of the bars, below them, and beside a panel
CELL = 13.0  # points of a cell that holds its number
ANNOTATED = 7  # side of a heat map, at most, whose cells have numbers


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw what is read back of each channel, the responses around a site in units of its step, and their reach."""
    width = style.width(style.DOUBLE)
    columns = 4 if width >= WIDE else 2
    side = width / columns - LEFT
    height = BARS + BELOW + 4 // columns * (side + BELOW)
    figure = style.figure(width, height)
    bars = figure.add_axes((LEFT / width, 1 - BARS / height, 1 - LEFT / width, BARS / height))
    _bars(bars, result)
    own, others = _around(result)
    top = style.shared("steps", 0, float(np.nanmax([own, others], initial=0)) or 1.0)[1]

    def panel(place: int) -> Axes:
        row, column = divmod(place, columns)
        left, bottom = LEFT + column * (side + LEFT), height - BARS - BELOW - row * (side + BELOW) - side
        return figure.add_axes((left / width, bottom / height, side / width, side / height))

    cell = 72 * side / len(result.coordinates["dx"])
    for place, (head, values) in enumerate((("own channel, in steps", own), ("all others, in steps", others))):
        axes = panel(place)
        _map(axes, values, result.coordinates["dx"], top, numbers=cell >= CELL)
        _head(axes, head)
        axes.set_ylabel("" if place else "dy", labelpad=1)
    _matrix(panel(2), result)
    _reach(panel(3), result)
    key = informative(result, str(result.arrays["informative"].values.sum())) + ", coloured"
    heading(bars, "Spatial response", _caption(result, provenance), key=key, above=8)
    return {"spatial_response": figure}


def _head(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=style.TICK, loc="left", pad=3)


def _bars(axes: Axes, result: AssayResult) -> None:
    """Draw read_back of each channel as a bar, the largest first, and its correlation as a dot."""
    read_back, se = (np.nan_to_num(result.arrays[name].values) for name in ("read_back", "read_back_se"))
    order = np.argsort(-read_back, kind="stable")
    marked = result.arrays["informative"].values.astype(bool)[order]
    where = np.arange(len(order))
    colours = [style.ACCENT if on else "#c4c7c9" for on in marked]
    axes.bar(where, read_back[order], color=colours, yerr=se[order], error_kw={"linewidth": 0.7})
    correlation = result.arrays["correlation"].values[order]
    axes.plot(where, correlation, ".", color="black", markersize=4, label="correlation over images")
    axes.legend(frameon=False, loc="upper right", bbox_to_anchor=(1, 1.2), handletextpad=0.2, borderpad=0)
    axes.axhline(1, color=style.QUIET, linewidth=0.7, linestyle=(0, (4, 3)))
    every = -(-len(order) // (40 if style.width(style.DOUBLE) >= WIDE else 16))
    axes.set_xticks(where[::every], [str(channel) for channel in order[::every]])
    axes.set_xlim(-0.6, len(order) - 0.4)
    axes.set_ylim(min(0.0, float(np.nanmin(correlation, initial=0))), None)
    axes.set_ylabel("read back" if style.width(style.DOUBLE) >= WIDE else "")
    axes.set_xlabel("channel that is set, by what is read back", labelpad=1)
    axes.tick_params(axis="x", length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _around(result: AssayResult) -> tuple[np.ndarray, np.ndarray]:
    """Return the response at each offset (k, k) of its own channel and of all others, in steps, root mean square over
    the channels that are set."""
    with np.errstate(invalid="ignore", divide="ignore"):
        step = result.arrays["step"].values[:, None, None, None]
        squares = np.square(result.arrays["kernel"].values / step)
    own = np.diagonal(squares).transpose(2, 0, 1)
    parts = own, squares.sum(axis=1) - own
    kept = np.isfinite(own).all(axis=(1, 2))
    first, second = (np.sqrt(np.maximum(part[kept], 0).mean(axis=0)) if kept.any() else own[0] * 0 for part in parts)
    return first, second


def _map(axes: Axes, values: np.ndarray, offsets: np.ndarray, top: float, *, numbers: bool) -> None:
    radius = float(offsets[-1]) + 0.5
    extent = (-radius, radius, radius, -radius)
    axes.imshow(values, cmap=style.SEQUENTIAL, vmin=0, vmax=top, extent=extent, interpolation="nearest")
    axes.set_xlabel("dx", labelpad=1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    if len(offsets) <= ANNOTATED and numbers:
        for y, row in zip(offsets, values, strict=True):
            for x, value in zip(offsets, row, strict=True):
                text = f"{value:.2f}".lstrip("0") if value >= 0.005 else "0"
                colour = "black" if value > 0.55 * top else "white"
                axes.text(x, y, text, ha="center", va="center", fontsize=6, color=colour)


def _matrix(axes: Axes, result: AssayResult) -> None:
    """Draw the response at the site itself, by channel, in steps of the row."""
    radius = len(result.coordinates["dx"]) // 2
    with np.errstate(invalid="ignore", divide="ignore"):
        values = result.arrays["kernel"].values[:, :, radius, radius] / result.arrays["step"].values[:, None]
    axes.imshow(values, cmap=style.SEQUENTIAL, vmin=0, vmax=1, interpolation="nearest")
    _head(axes, "at the place set, in steps")
    axes.set_xlabel("channel responding", labelpad=1)
    axes.set_ylabel("channel set", labelpad=1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def _reach(axes: Axes, result: AssayResult) -> None:
    """Draw the share of the squared response within each distance, a line a channel."""
    within = result.arrays["within"].values
    colours = [style.ACCENT if on else "#c4c7c9" for on in result.arrays["informative"].values.astype(bool)]
    for shares, colour in zip(within, colours, strict=True):
        axes.plot(result.coordinates["distance"], shares, color=colour, linewidth=0.8)
    axes.set_ylim(0, 1.03)
    _head(axes, "share within a distance")
    axes.set_xlabel("places from the site", labelpad=1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    patch = f"{settings['patch']} x {settings['patch']} places set at once" if settings["patch"] != 1 else ""
    return figure_caption(
        result,
        provenance,
        f"codes {settings['latent_shape']}",
        f"base {settings['base']}",
        f"{settings['num_samples']:,} draws of {settings['places']} place" + ("s" if settings["places"] != 1 else ""),
        patch,
        f"{result.scores['num_correlated_only']:.0f} correlate at 0.9 but do not answer",
    )
