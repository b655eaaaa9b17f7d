"""Latent traversals as one picture, from a results file alone: a row a latent, and beside it the response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.answers import Answer, moved_latents
from lrx.assays.plotting import style
from lrx.assays.plotting.annotations import error_digits
from lrx.assays.plotting.figure_caption import MARK, figure_caption, informative
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.image_grid import is_image, show_lines, show_sheet
from lrx.assays.plotting.response_scale import scale_of
from lrx.assays.plotting.unit_words import unit_label
from lrx.core.rounding import plus_minus
from lrx.core.text import join_names
from lrx.core.types import AssayResult
from lrx.storage import results

ROWS, IMAGES = 16, 3  # latents that are drawn, the most responding first, and images beside each other
COLUMNS = 3  # named, of those that a row moves most
WIDE = 5.0  # inches from which several images and all steps are drawn
LEAST = 0.3  # inches of an image, at least
NAMES, CURVE, GAP = 0.85, 0.75, 0.14  # inches of the names, of the panel of the response, and between panels
OTHERS, TICKS = 0.9, 0.3  # inches of the other latents that answer, and of the ticks of the response
NAMES_OF_PAIR = "image, recon-\nstruction"
MOST_OTHERS, MOST_LABELS = 3, 5  # of these, and of the values that are each labelled


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw at most 3 images, a row for each of at most 16 latents, and what answers; in one column no own response."""
    width = style.width(style.DOUBLE)
    others = moved_latents({"traversal": result})
    curved = width >= WIDE or not others
    right = (CURVE if curved else 0) + (OTHERS if others else 0) + (TICKS if others and curved else 0)
    walks, steps = _shown(result, width - NAMES - right - GAP)
    images, rows = walks.shape[:2]
    pictures = is_image(walks)
    strip = (width - NAMES - right - GAP) / images - GAP
    cell = strip / len(steps)
    row_height = max(min(cell, 0.7), 0.36) if pictures else 0.8
    strip = min(strip, row_height * len(steps)) if pictures else strip
    head = row_height + GAP if pictures and "original" in result.arrays else 0
    height = rows * (row_height + GAP / 2) + head
    figure = style.figure(width, height)

    def panel(left: float, bottom: float, wide: float, high: float = row_height) -> Axes:
        return figure.add_axes((left / width, bottom / height, wide / width, high / height))

    first: Axes | None = None
    for row in range(rows):
        bottom = height - head - (row + 1) * (row_height + GAP / 2)
        for image in range(images):
            left = NAMES + image * (strip + GAP)
            axes = panel(left, bottom, strip)
            _strip(axes, result, walks[image, row], _values(result, row)[steps], last=row == rows - 1)
            top = axes
            if row == 0 and head:
                top = panel(left, height - row_height - GAP / 2, min(strip, 2 * row_height))
                _pair(top, result, image)
                if image == 0:
                    _annotate(top, NAMES_OF_PAIR, (0, 0.5), (-15, 0), style.SMALL, style.QUIET, "right", "center")
            first = first or top
            if row == 0:
                label = f"image {result.coordinates['image'][image]}"
                _annotate(top, label, (0, 1), (0, 2), style.SMALL, style.QUIET, "left", "bottom")
            if image == 0:
                _name(axes, result, row)
                _name_columns(axes, result, row)
            elif not pictures:
                axes.set_yticklabels([])
        left = NAMES + images * (strip + GAP) + 0.1
        if curved:
            _response(panel(left, bottom, CURVE), result, row, last=row == rows - 1)
            left += CURVE + TICKS
        if others:
            found = others.get(unit_label(result, result.coordinates["latent"][row]), [])
            _others(panel(left, bottom, OTHERS), found, first=row == 0)
    assert first is not None
    key = informative(result, str(result.arrays["informative"].values.sum()), scale_of(result.arrays["self_response"]))
    caption = _caption(result, provenance, rows, images)
    heading(first, "Traversals along latents", caption, key=key, above=12)
    return {"traversal": figure}


def _pair(axes: Axes, result: AssayResult, image: int) -> None:
    """Draw an image and its reconstruction."""
    pair = np.stack([result.arrays[name].values[image] for name in ("original", "reconstruction")])
    show_sheet(axes, pair[None], gap=max(1, pair.shape[-1] // 32))


def _others(axes: Axes, found: Sequence[Answer], *, first: bool) -> None:
    """Write the other latents that answer, the largest response first."""
    axes.set_axis_off()
    most = MOST_OTHERS - (len(found) > MOST_OTHERS)
    lines = [f"{answer.name}: {plus_minus(answer.response, answer.se)}" for answer in found[:most]]
    lines += [f"and {len(found) - most} more"] if len(found) > most else []
    _annotate(axes, "\n".join(lines) or "none", (0, 0.5), (0, 0), 6.0, style.QUIET, "left", "center")
    if first:
        _annotate(axes, "others that answer", (0, 1), (0, 3), style.SMALL, style.QUIET, "left", "bottom")


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
            elif len(values) <= MOST_LABELS or values[0] != -values[-1]:
                places = [*range(len(values))] if len(values) <= MOST_LABELS else [0, len(values) - 1]
                ends, labels = (np.array(places) + 0.5) / len(values), [f"{values[v]:+g}" for v in places]
            axes.set_xticks(left + (right - left) * ends, labels)
            axes.tick_params(length=0)
        return
    show_lines(axes, values, walk.reshape(len(walk), -1))
    every = result.arrays["walk"].values
    margin = 0.05 * float(every.max() - every.min()) or 1.0
    axes.set_ylim(float(every.min()) - margin, float(every.max()) + margin)
    axes.set_xlim(*_limits(values))
    axes.set_xticks(_ticks(values)[:-1] or values if last else [])  # the last value would touch the next walk's first


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
    va: Literal["top", "bottom", "center"],
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
    marker = "." if len(values) <= MOST_LABELS else ""
    for own in result.arrays["own_response"].values[:, row]:
        axes.plot(values, own, color=style.ACCENT, linewidth=0.9, alpha=0.8, marker=marker)
    axes.set_xlim(*_limits(values))
    every = result.arrays["own_response"].values[:IMAGES, :ROWS]
    low, high = min(_limits(values)[0], every.min()), max(_limits(values)[1], every.max())
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    ticks = _ticks(values) if "value" not in result.arrays else [round(values[0], 2), round(values[-1], 2)]
    axes.set_xticks(ticks if last else [])
    axes.set_yticks(ticks)
    axes.tick_params(length=2)
    axes.yaxis.tick_right()
    if row == 0:
        axes.set_title("response", fontsize=style.SMALL, color=style.QUIET, loc="left", pad=3)


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of an axis of values; a single one has room on both sides."""
    return (values[0], values[-1]) if len(values) > 1 else (values[0] - 1, values[0] + 1)


def _ticks(values: np.ndarray) -> list[float]:
    """Return the least and the largest value, and 0 where it lies between them."""
    return sorted({float(values[0]), *([0.0] if values[0] < 0 < values[-1] else []), float(values[-1])})


def _caption(result: AssayResult, provenance: results.Provenance, rows: int, images: int) -> str:
    settings, walked = result.settings, len(result.coordinates["latent"])
    extent = settings["extent"]
    has_images = is_image(result.arrays["walk"].values) and "original" in result.arrays
    scale = scale_of(result.arrays["self_response"])
    return figure_caption(
        result,
        provenance,
        f"latents {settings['latents']}, most responding first" + (f", {rows} of {walked}" if rows < walked else ""),
        f"{images} of {settings['num_images']} images" if images < len(result.coordinates["image"]) else "",
        "above them each image and its reconstruction" if has_images else "",
        f"values from {-float(extent):g} to {extent:g}" if extent else _values_in_words(result),
        f"below each latent its response to itself ± standard error, normalization {scale}",
        "right: the latent's own response to the value that is set, and the other latents that answer",
    )


def _values_in_words(result: AssayResult) -> str:
    if "value" in result.arrays:
        return f"each of {result.settings['steps']} values"
    values = [f"{value:g}" for value in result.coordinates["step"]]
    return f"value{'' if len(values) == 1 else 's'} {join_names(values, most=8)}"
