"""Picture of paths between codes as strips of decoded images with their scores, from a results file."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.annotations import NONE, error_digits, write_text
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.image_grid import is_image, show_lines, show_sheet
from lrx.core.statistics import mean_and_se
from lrx.core.types import AssayResult
from lrx.storage import results

ROW = 0.5  # inches of a point
BETWEEN = 0.3  # inches between pairs
NUMBERS = 0.8  # inches of a column of scores
COLUMNS = (
    ("mean_u", "mean |u|"),
    ("length", "length"),
    ("cost", "cost"),
    ("jump", "pixel\njump"),
    ("kept", "factors\nkept"),
)


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw `interpolation`: means over all pairs above, and below a block of strips for each stored pair."""
    images = result.arrays["images"].values  # path, pair, point, ...
    paths, shown, points = images.shape[:3]
    columns = [column for column in COLUMNS if column[0] in result.arrays]
    aspect = images.shape[-1] / images.shape[-2] if is_image(images) else 1.0
    wide, block = ROW * aspect * points, ROW * paths
    labels, table, head = 0.9, NUMBERS * len(columns), 0.4
    high = (shown + 1) * (block + BETWEEN)
    width, height = labels + wide + table + 0.2, high + head + 1
    figure = style.figure(width, height)
    for place in range(shown + 1):
        bottom = 0.1 + (shown - place) * (block + BETWEEN)
        axes = figure.add_axes((labels / width, bottom / height, wide / width, block / height))
        if place == 0:
            _means(axes, result, points)
        elif is_image(images):
            show_sheet(axes, images[:, place - 1], gap=2)
            axes.set_aspect("auto")
        else:
            _vectors(axes, images[:, place - 1])
        for row, path in enumerate(result.coordinates["path"]):
            middle = 1 - (row + 0.5) / paths
            write_text(axes, (0, middle), (-8, 0), str(path), align="right", size=9)
            for column, (kind, _) in enumerate(columns):
                at = (72 * (NUMBERS * (column + 0.5) + 0.1), 0.0)
                _cell(axes, result, kind, row, place - 1, (1, middle), at)
        if place == 0:
            for column, (_, words) in enumerate(columns):
                at = (72 * (NUMBERS * (column + 0.5) + 0.1), 14.0)
                write_text(axes, (1, 1), at, words, size=8, colour=style.QUIET)
        else:
            start, end = result.arrays["ends"].values[place - 1]
            write_text(
                axes, (0, 1), (0, 7), f"from image {start} to image {end}", align="left", size=7, colour=style.QUIET
            )
    top = figure.add_axes((labels / width, (0.1 + high - BETWEEN + head) / height, wide / width, 0.01 / height))
    top.axis("off")
    style.title(top, "Interpolation", _caption(result, provenance), characters=int(17 * (wide + table)))
    return {"interpolation": figure}


def _means(axes: Axes, result: AssayResult, points: int) -> None:
    """Draw the profile of |u| along the paths, mean over pairs: a small plot for each path, on one scale."""
    u = result.arrays["u"].values
    mean, se = mean_and_se(np.swapaxes(u, 0, 1))
    se = np.nan_to_num(se)  # of a single pair
    top = 1.15 * float((mean + se).max()) or 1.0
    axes.axis("off")
    for row in range(len(mean)):
        strip = axes.inset_axes((0, 1 - (row + 0.93) / len(mean), 1, 0.86 / len(mean)))
        middle = np.arange(points) + 0.5  # above the images below
        strip.fill_between(middle, mean[row] - se[row], mean[row] + se[row], color=style.ACCENT, alpha=0.25, lw=0)
        strip.plot(middle, mean[row], color=style.ACCENT, linewidth=1.2)
        strip.set_xlim(0, points)
        strip.set_ylim(0, top)
        strip.set_xticks([])
        strip.set_yticks([0, top / 1.15], ["", f"{top / 1.15:.1f}"] if row == 0 else ["", ""], fontsize=6)
        strip.yaxis.tick_right()
        strip.tick_params(length=2, pad=1)
        strip.spines[["top", "left"]].set_visible(False)


def _vectors(axes: Axes, vectors: np.ndarray) -> None:
    axes.axis("off")
    flat = vectors.reshape(*vectors.shape[:2], -1)
    for row, path in enumerate(flat):
        strip = axes.inset_axes((0, 1 - (row + 0.93) / len(flat), 1, 0.86 / len(flat)))
        show_lines(strip, np.arange(len(path)), path)
        strip.set_xticks([])
        strip.tick_params(labelsize=6)


def _cell(
    axes: Axes,
    result: AssayResult,
    kind: str,
    row: int,
    pair: int,
    where: tuple[float, float],
    offset: tuple[float, float],
) -> None:
    """Write the score of a path: of one pair, or of all pairs (pair -1) with its standard error below."""
    if pair >= 0:
        value = float(result.arrays[kind].values[row, pair])
        write_text(axes, where, offset, f"{value:.2f}" if math.isfinite(value) else NONE, size=8, colour=style.QUIET)
        return
    name = f"{kind}_{result.coordinates['path'][row]}"
    value, se = result.scores[name], result.scores[f"{name}_se"]
    write_text(axes, where, (offset[0], 5), f"{value:.2f}" if math.isfinite(value) else NONE, size=9)
    if math.isfinite(se):
        write_text(axes, where, (offset[0], -6), f"±{error_digits(se)}", size=7, colour=style.QUIET)


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    parts = [
        f"above: |u| along the paths and scores, means over {settings['num_pairs']} pairs; below: single pairs",
        f"response: h {settings['pulls']} times",
        f"graph: {settings['num_nodes']} nodes",
        f"relaxed: {settings['steps']} steps",
        f"cost: length + {settings['weight']:g} times the integral of |u|",
    ]
    if "num_sharing" in result.scores:
        parts.append(
            f"factors read by a probe network (accuracy {result.scores['probe_accuracy']:.2f}), "
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
