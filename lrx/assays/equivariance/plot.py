"""Curves over the shift of a picture: errors of codes, shift of the code that fits best, quality of the picture."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lrx.assays.plotting import style
from lrx.assays.plotting.curves import draw_curves
from lrx.assays.plotting.figure_caption import figure_caption, score_text
from lrx.assays.plotting.heading import heading
from lrx.core.types import AssayResult
from lrx.storage import results

WIDE = 5.0  # inches from which the panels lie side by side
LEFT, HIGH, BELOW = 0.55, 1.75, 0.5  # inches beside, of and below a panel
NAMES = {"error": "whole places", "interpolated": "interpolated", "best": "best fit"}


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file."""
    arrays, shifts = result.arrays, result.coordinates["shift"]
    width = style.width(style.DOUBLE)
    columns = 3 if width >= WIDE else 1
    wide, height = width / columns - LEFT, 3 // columns * (HIGH + BELOW)
    figure = style.figure(width, height)
    corners = [
        (LEFT + (place % columns) * (wide + LEFT), height - place // columns * (HIGH + BELOW) - HIGH)
        for place in range(3)
    ]
    errors, places, quality = (
        figure.add_axes((left / width, bottom / height, wide / width, HIGH / height)) for left, bottom in corners
    )
    draw_curves(errors, shifts, {words: _both(result, name) for name, words in NAMES.items()})
    errors.axhline(1, color=style.QUIET, linewidth=0.7, linestyle=(0, (4, 3)))
    errors.set_ylim(bottom=0)
    errors.set_ylabel("error / spread of codes")
    _by_direction(places, result, "best_place")
    places.plot(shifts, arrays["places"].values[0], color=style.QUIET, linewidth=0.7, linestyle=(0, (4, 3)))
    places.set_ylabel("shift of the code (places)")
    _by_direction(quality, result, "psnr")
    quality.set_ylabel("PSNR of the picture (dB)")
    for axes in (errors, places, quality):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("shift of the picture (pixels)", labelpad=1)
    heading(errors, "Equivariance", _caption(result, provenance))
    return {"equivariance": figure}


def _both(result: AssayResult, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square over the two directions of an error, and its standard error if both were independent."""
    values, se = result.arrays[name].values, result.arrays[f"{name}_se"].values
    mean = np.sqrt(np.mean(values**2, axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.where(mean > 0, np.sqrt(np.sum((values * se) ** 2, axis=0)) / (2 * mean), 0)
    return mean, spread


def _by_direction(axes: Axes, result: AssayResult, name: str) -> None:
    values, se = result.arrays[name].values, result.arrays[f"{name}_se"].values
    directions = [{"y": "down", "x": "right"}[str(label)] for label in result.coordinates["direction"]]
    draw_curves(axes, result.coordinates["shift"], dict(zip(directions, zip(values, se, strict=True), strict=True)))


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    scores, settings = result.scores, result.settings

    return figure_caption(
        result,
        provenance,
        f"{settings['num_images']:,} images",
        f"windows of {settings['window']} pixels, {settings['stride']} pixels a place, {settings['margin']} places at "
        "each border left out",
        f"error at whole places {score_text(result, 'error_whole')}" if "error_whole" in scores else "",
        f"interpolated {score_text(result, 'error_fraction')}" if "error_fraction" in scores else "",
        f"unshifted {score_text(result, 'psnr_unshifted')} dB",
        "errors of codes: both directions together",
    )
