"""Footprints as one picture, from a results file alone: the mean change around the place, a patch a channel.

Each patch has a scale of its own, which stands below it: the strongest channels paint tens of times as much as others.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.core.types import AssayResult
from lrx.storage import results

CELL, GAP, TEXT = 0.78, 0.12, 0.34  # inches of a patch, between patches, and of the two lines below one
WIDE = 5.0  # inches from which the key is written in full
KEY = "below: channel, change from black to white, radius r in pixels, shares that are grey and flat"
MOST = 100  # channels that are drawn, the strongest first


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the patch of each channel, the strongest first, with its radius and its share that is grey."""
    patches, strength = result.arrays["patch"].values, result.arrays["strength"].values
    order = np.argsort(-strength, kind="stable")[:MOST]
    width = style.width(style.DOUBLE if len(order) > 3 else style.SINGLE)
    columns = max(1, int((width + GAP) / (CELL + GAP)))
    cell = (width + GAP) / columns - GAP
    height = math.ceil(len(order) / columns) * (cell + TEXT + GAP)
    figure = style.figure(width, height)
    for number, channel in enumerate(order):
        row, column = divmod(number, columns)
        bottom = height - row * (cell + TEXT + GAP) - cell
        axes = figure.add_axes((column * (cell + GAP) / width, bottom / height, cell / width, cell / height))
        axes.imshow(picture(patches[channel] / (_top(patches[channel]) or 1.0)), interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        _outline(axes, result)
        axes.set_xlabel(_label(result, int(channel)), fontsize=6, labelpad=2, linespacing=1.2)
    if len(order) < columns:  # patches keep their size in a row that is not full
        right = figure.add_axes((1 - 0.01, 1 - cell / height, 0.01, cell / height))
        right.axis("off")
    key = "channel: black to white, radius in pixels" if width < WIDE else KEY
    heading(figure.axes[0], "Footprints of single places", _caption(result, provenance, len(order)), key=key)
    return {"footprint": figure}


def picture(change: np.ndarray) -> np.ndarray:
    """Return changes (O, p, p) of -1 to 1 as colours (p, p, 3) around grey; of O other than 1 and 3, their mean."""
    shown = change if len(change) == 3 else np.repeat(change.mean(axis=0, keepdims=True), 3, axis=0)
    colours: np.ndarray = np.clip(0.5 + 0.5 * shown, 0, 1).transpose(1, 2, 0)
    return colours


def _outline(axes: Axes, result: AssayResult) -> None:
    """Draw the edges of the place that was shifted."""
    margin = int(result.settings["margin"] or 0)
    sides = [len(result.coordinates[name]) / (2 * margin + 1) for name in ("dy", "dx")]
    for spine in axes.spines.values():
        spine.set_visible(False)
    if margin:
        x, y = margin * sides[1] - 0.5, margin * sides[0] - 0.5
        corners = [(x, y), (x + sides[1], y), (x + sides[1], y + sides[0]), (x, y + sides[0]), (x, y)]
        axes.plot(*zip(*corners, strict=True), color="black", linewidth=0.3, linestyle=(0, (3, 3)))


def _label(result: AssayResult, channel: int) -> str:
    grey, flat, radius = (result.arrays[name].values[channel] for name in ("grey", "flat", "radius"))
    if not math.isfinite(grey):
        return f"{channel}\npaints nothing"
    top = f"{_top(result.arrays['patch'].values[channel]):.2g}".lstrip("0")
    return f"{channel}: ±{top}, r {radius:.1f}\ngrey {grey:.2f}, flat {flat:.2f}"


def _top(patch: np.ndarray) -> float:
    """Return the largest change of a patch, which its picture shows in black or white."""
    return float(np.abs(patch).max())


def _caption(result: AssayResult, provenance: results.Provenance, shown: int) -> str:
    settings, channels = result.settings, len(result.arrays["patch"].values)
    some = "" if shown == channels else f", {shown} of {channels}"
    return figure_caption(
        result,
        provenance,
        f"codes {settings['latent_shape']}, a place of {settings['pixels_of_place']} pixels (dashed)",
        f"base {settings['base']}",
        f"{settings['num_samples']:,} draws",
        f"mean change by {settings['size']:g} step" + ("s" if settings["size"] != 1 else ""),
        f"strongest channels first{some}",
    )
