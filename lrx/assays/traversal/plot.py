"""Latent traversals as one picture, from a results file alone: a row a latent, and beside it the response."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.annotations import error_digits
from lrx.assays.plotting.figure_caption import MARK, figure_caption, informative
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.image_grid import is_image, show_lines, show_sheet
from lrx.assays.plotting.response_scale import scale_of
from lrx.assays.plotting.unit_words import unit_label
from lrx.core.types import AssayResult
from lrx.storage import results

ROWS = 16  # latents that are drawn, the most responding first
IMAGES = 3  # images that are drawn beside each other
COLUMNS = 3  # named, of those that a row moves most
WIDE = 5.0  # inches from which several images and all steps are drawn
LEAST = 0.3  # inches of an image, at least
NAMES, CURVE, GAP = 0.85, 0.75, 0.14  # inches of the names, of the panel of the response, and between panels


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw a row for each latent, at most 16, from at most 3 images, and beside it the response."""
    width = style.width(style.DOUBLE)
    walks, steps = _shown(result, width - NAMES - CURVE - GAP)
    images, rows = walks.shape[:2]
    pictures = is_image(walks)
    strip = (width - NAMES - CURVE - GAP) / images - GAP
    cell = strip / len(steps)
    row_height = max(min(cell, 0.7), 0.36) if pictures else 0.8
    strip = min(strip, row_height * len(steps)) if pictures else strip
    height = rows * (row_height + GAP / 2)
    figure = style.figure(width, height)
    first: Axes | None = None
    for row in range(rows):
        bottom = height - (row + 1) * (row_height + GAP / 2)
        for image in range(images):
            left = NAMES + image * (strip + GAP)
            axes = figure.add_axes((left / width, bottom / height, strip / width, row_height / height))
            first = first or axes
            _strip(axes, result, walks[image, row], _values(result, row)[steps], last=row == rows - 1)
            if row == 0:
                label = f"image {result.coordinates['image'][image]}"
                _annotate(axes, label, (0, 1), (0, 2), style.SMALL, style.QUIET, "left", "bottom")
            if image == 0:
                _name(axes, result, row)
                _name_columns(axes, result, row)
            elif not pictures:
                axes.set_yticklabels([])
        left = NAMES + images * (strip + GAP) + 0.1
        curve = figure.add_axes((left / width, bottom / height, CURVE / width, row_height / height))
        _response(curve, result, row, last=row == rows - 1)
    assert first is not None
    key = informative(result, str(result.arrays["informative"].values.sum()), scale_of(result.arrays["self_response"]))
    caption = _caption(result, provenance, rows, images)
    heading(first, "Traversals along latents", caption, key=key, above=12)
    return {"traversal": figure}


def _shown(result: AssayResult, room: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the walks that fit into `room` inches, (images, rows, steps, ...), and the steps that are drawn."""
    walks = result.arrays["walk"].values[:IMAGES, :ROWS]
    count = walks.shape[2]
    if not is_image(walks):
        return walks[: IMAGES if room > WIDE / 2 else 1], np.arange(count)
    images = max(1, min(len(walks), int(room / (LEAST * count))))
    fits = max(2, min(count, int((room / images - GAP) / LEAST)))
    steps = np.unique(np.linspace(0, count - 1, fits).round().astype(int))
    return walks[:images][:, :, steps], steps


def _name_columns(axes: Axes, result: AssayResult, row: int) -> None:
    """Name the columns that a row moves most, with their slopes, where columns have names."""
    names = result.coordinates.get("dimension")
    if names is None or "moved" not in result.arrays:
        return
    slopes = result.arrays["moved"].values[row]
    most = np.argsort(-np.abs(slopes))[:COLUMNS]
    text = ", ".join(f"{names[column]} {slopes[column]:+.2g}" for column in most)
    _annotate(axes, text, (1, 1), (-3, -3), 6.0, style.QUIET, "right", "top")


def _values(result: AssayResult, row: int) -> np.ndarray:
    """Return the values that a walk sets its latent to: those of the steps, or of a quantised latent its own."""
    own = result.arrays.get("value")
    values: np.ndarray = result.coordinates["step"] if own is None else own.values[row]
    return values


def _strip(axes: Axes, result: AssayResult, walk: np.ndarray, values: np.ndarray, *, last: bool) -> None:
    """Draw one walk (S, ...) over its values (S,): images side by side, or the components of vectors as lines."""
    if is_image(walk):
        show_sheet(axes, walk[None], gap=max(1, walk.shape[-1] // 32))
        if last:
            left, right = axes.get_xlim()
            ends = np.array([0.5, len(values) / 2, len(values) - 0.5]) / len(values)
            labels = [f"{values[0]:+g}", "0", f"{values[-1]:+g}"]
            if "value" in result.arrays:  # each latent has its own
                labels = ["least", "", "largest"]
            axes.set_xticks(left + (right - left) * ends, labels)
            axes.tick_params(length=0)
        return
    show_lines(axes, values, walk.reshape(len(walk), -1))
    every = result.arrays["walk"].values
    margin = 0.05 * float(every.max() - every.min()) or 1.0
    axes.set_ylim(float(every.min()) - margin, float(every.max()) + margin)
    axes.set_xlim(values[0], values[-1])
    axes.set_xticks([values[0], 0] if last else [])  # the last value would touch the next walk's first


def _name(axes: Axes, result: AssayResult, row: int) -> None:
    """Label a row with its latent and the response of that to itself: black and marked where informative, else grey."""
    value, error = (result.arrays[name].values[row] for name in ("self_response", "self_response_se"))
    is_informative = bool(result.arrays["informative"].values[row])
    colour = "black" if is_informative else style.QUIET
    latent = result.coordinates["latent"][row]
    shift = -15 if is_image(result.arrays["walk"].values) else -33
    _annotate(axes, unit_label(result, latent), (0, 0.5), (shift, 1), 8, colour, "right", "bottom")
    _annotate(axes, f"{value:.2f} ± {error_digits(error)}", (0, 0.5), (shift, -1), 7, colour, "right", "top")
    if is_informative:
        _annotate(axes, MARK, (0, 0.5), (shift + 11, 1), 8, style.ACCENT, "right", "bottom")


def _annotate(
    axes: Axes,
    text: str,
    place: tuple[float, float],
    shift: tuple[float, float],
    size: float,
    colour: str,
    ha: Literal["left", "right"],
    va: Literal["top", "bottom"],
) -> None:
    """Write text at a place in the axes (fractions), shifted by some points."""
    axes.annotate(
        text,
        place,
        xytext=shift,
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=size,
        color=colour,
        ha=ha,
        va=va,
    )


def _response(axes: Axes, result: AssayResult, row: int, *, last: bool) -> None:
    """Plot the latent's own response along the walk of each image, against the values set."""
    values = _values(result, row)
    axes.plot(values, values, color=style.QUIET, linewidth=0.7, linestyle=(0, (4, 3)))
    for own in result.arrays["own_response"].values[:, row]:
        axes.plot(values, own, color=style.ACCENT, linewidth=0.9, alpha=0.8)
    axes.set_xlim(values[0], values[-1])
    every = result.arrays["own_response"].values[:IMAGES, :ROWS]
    axes.set_ylim(1.1 * min(values[0], every.min()), 1.1 * max(values[-1], every.max()))
    ticks = [values[0], 0, values[-1]] if "value" not in result.arrays else [round(values[0], 2), round(values[-1], 2)]
    axes.set_xticks(ticks if last else [])
    axes.set_yticks(ticks)
    axes.tick_params(length=2)
    axes.yaxis.tick_right()
    if row == 0:
        axes.set_title("response", fontsize=style.SMALL, color=style.QUIET, loc="left", pad=3)


def _caption(result: AssayResult, provenance: results.Provenance, rows: int, images: int) -> str:
    settings, walked = result.settings, len(result.coordinates["latent"])
    extent = settings["extent"]
    more = images < len(result.coordinates["image"])
    scale = scale_of(result.arrays["self_response"])
    return figure_caption(
        result,
        provenance,
        f"latents {settings['latents']}, most responding first" + (f", {rows} of {walked}" if rows < walked else ""),
        f"{images} of {settings['num_images']} images" if more else "",
        f"values from {-float(extent):g} to {extent:g}" if extent else f"each of {settings['steps']} values",
        f"below each latent its response to itself ± standard error, normalization {scale}",
        "right: the latent's own response to the value that is set",
    )
