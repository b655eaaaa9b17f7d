"""Picture of paths between codes: |u| along them, their scores, and strips of decoded images, from a results file."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.image_grid import is_image, show_lines, show_sheet
from lrx.core.statistics import mean_and_se
from lrx.core.types import AssayResult
from lrx.storage import results

WIDE = 5.0  # inches from which profile and scores lie side by side, and strips have all their images
LABELS, HIGH, BELOW, BETWEEN = 0.72, 1.0, 0.72, 0.24  # inches of names, of the upper panels, below them, between strips
SHOWN = 7  # images of a strip in one column
RELIABLE = 0.8  # accuracy of the probe network from which what it reads is taken for the factors
LOOKS = ((style.ACCENT, "o"), ("#20456b", "s"), ("#8a6d00", "^"), (style.QUIET, "D"))  # of a path
SCORES = {"mean_u": "mean\n|u|", "length": "length", "cost": "cost", "jump": "pixel\njump", "kept": "factors\nkept"}


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw `interpolation`: means over all pairs above, and below a block of strips for each stored pair."""
    images = result.arrays["images"].values  # path, pair, point, ...
    paths, shown, points = images.shape[:3]
    width = style.width(style.DOUBLE)
    beside = width >= WIDE
    chosen = np.unique(np.linspace(0, points - 1, points if beside else min(points, SHOWN)).round().astype(int))
    across = width - LABELS
    aspect = images.shape[-1] / images.shape[-2] if is_image(images) else 1.0
    row = across / len(chosen) / aspect if is_image(images) else 0.45
    panels = HIGH + BELOW if beside else 2 * (HIGH + BELOW)
    block = paths * row + BETWEEN
    height = panels + shown * block
    figure = style.figure(width, height)

    def box(left: float, top: float, wide: float, high: float) -> Axes:
        return figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height))

    profile = box(LABELS, 0, 0.36 * across if beside else across, HIGH)
    _profile(profile, result)
    names = [name for name in SCORES if name in result.arrays]
    start = LABELS + (0.36 * across + LABELS if beside else 0)
    step = (width - start) / max(1, len(names))
    for number, name in enumerate(names):
        axes = box(start + number * step, 0 if beside else HIGH + BELOW, 0.78 * step, HIGH)
        _scores(axes, result, name)
        if number == 0:
            _name_paths(axes, result)
    for pair in range(shown):
        axes = box(LABELS, panels + pair * block, across, paths * row)
        if is_image(images):
            show_sheet(axes, images[:, pair][:, chosen], gap=2)
            axes.set_aspect("auto")
        else:
            _vectors(axes, images[:, pair])
        _name_paths(axes, result)
        first, last = result.arrays["ends"].values[pair]
        axes.set_title(f"from image {first} to image {last}", fontsize=style.SMALL, loc="left", pad=3)
    doubtful = "kept" in names and not _is_reliable(result)
    key = f"hollow: the probe that reads factors has an accuracy of {_accuracy(result):.2f}" if doubtful else ""
    heading(profile, "Interpolation", _caption(result, provenance), key=key, above=22 if beside else 0)
    return {"interpolation": figure}


def _profile(axes: Axes, result: AssayResult) -> None:
    """Draw |u| along the paths, mean over pairs with a band of its standard error."""
    mean, se = mean_and_se(np.swapaxes(result.arrays["u"].values, 0, 1))
    se = np.nan_to_num(se)  # of a single pair
    where = np.linspace(0, 1, mean.shape[1])
    for row, (own, error) in enumerate(zip(mean, se, strict=True)):
        colour, marker = LOOKS[row % len(LOOKS)]
        axes.fill_between(where, own - error, own + error, color=colour, alpha=0.15, linewidth=0)
        axes.plot(where, own, color=colour, marker=marker, markersize=2.5, linewidth=1.2)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.05 * float((mean + se).max()) or 1.0)
    axes.set_xlabel("point of the path")
    axes.set_ylabel("|u| (latent)")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.spines[["top", "right"]].set_visible(False)


def _scores(axes: Axes, result: AssayResult, name: str) -> None:
    """Draw the mean over pairs of a score of each path, with its standard error; hollow where it is doubtful."""
    paths = [str(path) for path in result.coordinates["path"]]
    top = 0.0
    for row, path in enumerate(paths):
        value, se = result.scores[f"{name}_{path}"], result.scores[f"{name}_{path}_se"]
        if not math.isfinite(value):
            continue
        error = se if math.isfinite(se) else 0.0
        top = max(top, value + error)
        colour, marker = LOOKS[row % len(LOOKS)]
        fill = "white" if name == "kept" and not _is_reliable(result) else colour
        axes.errorbar([value], [row], xerr=[error], color=colour, marker=marker, markersize=4, mfc=fill, elinewidth=1)
    axes.set_xlim(0, max(1.0, 1.02 * top) if name == "kept" else 1.1 * top or 1.0)
    axes.set_ylim(len(paths) - 0.5, -0.5)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(2))
    axes.set_title(SCORES[name], fontsize=style.TICK, loc="left", pad=3, linespacing=1.1)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _name_paths(axes: Axes, result: AssayResult) -> None:
    """Write the names of the paths left of their rows, in their colours."""
    bottom, top = axes.get_ylim()
    paths = [str(path) for path in result.coordinates["path"]]
    left = offset_copy(axes.get_yaxis_transform(), axes.get_figure(root=True), x=-5, units="points")
    for row, path in enumerate(paths):
        place = top + (row + 0.5) / len(paths) * (bottom - top)
        colour = LOOKS[row % len(LOOKS)][0]
        axes.text(0, place, path, ha="right", va="center", fontsize=style.TICK, color=colour, transform=left)


def _vectors(axes: Axes, vectors: np.ndarray) -> None:
    axes.axis("off")
    flat = vectors.reshape(*vectors.shape[:2], -1)
    for row, path in enumerate(flat):
        strip = axes.inset_axes((0, 1 - (row + 0.93) / len(flat), 1, 0.86 / len(flat)))
        show_lines(strip, np.arange(len(path)), path)
        strip.set_xticks([])
        strip.yaxis.tick_right()
        strip.yaxis.set_major_locator(MaxNLocator(2))


def _accuracy(result: AssayResult) -> float:
    return result.scores.get("probe_accuracy", math.nan)


def _is_reliable(result: AssayResult) -> bool:
    """Return whether the probe network reads factors well enough for `kept`."""
    return not _accuracy(result) < RELIABLE


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    parts = [
        f"above: means over {settings['num_pairs']} pairs; below: single pairs",
        f"response: h {settings['pulls']} times",
        f"graph: {settings['num_nodes']} nodes",
        f"relaxed: {settings['steps']} steps",
        f"cost: length + {settings['weight']:g} times the integral of |u|",
    ]
    if "num_sharing" in result.scores:
        parts.append(
            f"factors read by a probe network (accuracy {_accuracy(result):.2f}"
            f"{'' if _is_reliable(result) else f', below {RELIABLE:g}: what is kept is doubtful'}), "
            f"{result.scores['num_sharing']:.0f} pairs"
        )
    return figure_caption(result, provenance, *parts, *_same(result))


def _same(result: AssayResult) -> list[str]:
    """Return the paths that are drawn with the same images as the first one, in words."""
    images, paths = result.arrays["images"].values, [str(path) for path in result.coordinates["path"]]
    remarks = []
    for path, own in zip(paths[1:], images[1:], strict=True):
        same = sum(np.array_equal(one, other) for one, other in zip(own, images[0], strict=True))
        if same:
            remarks.append(f"{path} is the same as {paths[0]} in {same} of the {len(own)} pairs shown")
    return remarks
