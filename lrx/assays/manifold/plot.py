"""Response in all dimensions: spectra of the Jacobian, histograms of divergence and magnitude."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.core.rounding import plus_minus
from lrx.core.types import AssayResult
from lrx.storage import results

COLOURS = {"prior": style.ACCENT, "posterior": "#00429d"}
NAMES = {"prior": "prior points", "posterior": "codes of images"}
BINS = 40
WIDE = 5.0  # inches from which the panels lie side by side
HIGH, LEFT, BELOW = 1.55, 0.5, 0.62  # inches of a panel in height, beside it and below
COUNTS = "dimension: singular values over the dashed threshold"
RATIO = "▽\N{NO-BREAK SPACE}participation ratio: strong ones weigh more"


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file; without a spectrum, the participation ratio takes its place.

    Above each panel stands what it shows: the dimension at codes of images, and the mass of the prior in holes.
    """
    width = style.width(style.DOUBLE)
    columns = 3 if width >= WIDE else 1
    wide, high = width / columns - LEFT, HIGH + BELOW
    height = high * 3 / columns
    figure = style.figure(width, height)
    boxes = [
        figure.add_axes(
            (
                ((place % columns) * (wide + LEFT) + LEFT) / width,
                (height - (place // columns) * high - HIGH) / height,
                wide / width,
                HIGH / height,
            )
        )
        for place in range(3)
    ]
    has_spectrum = "spectrum_prior" in result.arrays
    if has_spectrum:
        _spectra(boxes[0], result)
    else:
        _histogram(boxes[0], result, "participation", "participation ratio")
    name, words = ("dimension", "dimension") if has_spectrum else ("participation", "participation ratio")
    _say(boxes[0], f"{words} {_score(result, f'mean_{name}_posterior')} at codes of images", COLOURS["posterior"])
    _histogram(boxes[1], result, "divergence", "divergence tr J − D")
    low, high = boxes[1].get_xlim()
    if min(abs(low), abs(high)) < 2 * (high - low):  # a distant line would compress the histogram
        boxes[1].axvline(0, ymax=0.95, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
    _histogram(boxes[2], result, "magnitude", "|u| (latent)")
    if columns > 1:
        boxes[2].set_ylabel("")
    for axes, name in ((boxes[1], "divergence"), (boxes[2], "magnitude")):
        mass, error = (100 * result.scores[f"holes_by_{name}{end}"] for end in ("", "_se"))
        criterion = "at 0 or above" if name == "divergence" else f"above {_percent(result)} of codes"
        _say(axes, f"prior: {plus_minus(mass, error)} % {criterion}", COLOURS["prior"])
    level = float(np.quantile(result.arrays["magnitude_posterior"].values, float(result.settings["quantile"] or 0)))
    boxes[2].axvline(level, ymax=0.78, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
    key = f"{COUNTS}; {RATIO}" if has_spectrum and columns > 1 else RATIO if has_spectrum else ""
    heading(boxes[0], "Manifold of responses", _caption(result, provenance), key=key, above=13)
    return {"manifold": figure}


def _say(axes: Axes, text: str, colour: str) -> None:
    axes.set_title(text, fontsize=style.SMALL, color=colour, loc="left", pad=4)


def _score(result: AssayResult, name: str) -> str:
    value, error = result.scores[name], result.scores[f"{name}_se"]
    return plus_minus(value, error) if math.isfinite(value) else "not defined"


def _spectra(axes: Axes, result: AssayResult) -> None:
    """Draw the median spectrum of each source, the band between its 10th and 90th percentile, and its two dimensions:
    the number of singular values above the threshold, and a triangle at the participation ratio."""
    rank = result.coordinates["rank"]
    threshold = float(result.settings["threshold"] or 0)
    axes.axhline(threshold, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
    for source, colour in COLOURS.items():
        low, middle, high = np.percentile(result.arrays[f"spectrum_{source}"].values, [10, 50, 90], axis=0)
        axes.fill_between(rank, low, high, color=colour, alpha=0.18, linewidth=0)
        label = f"{NAMES[source]}: {_score(result, f'mean_dimension_{source}')}"
        axes.plot(rank, middle, color=colour, marker="o" if len(rank) <= 32 else "", markersize=2.5, label=label)
        ratio = result.scores[f"mean_participation_{source}"]
        if math.isfinite(ratio):
            axes.plot([ratio], [threshold], "v", color=colour, markerfacecolor="white", markersize=5, zorder=4)
    axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
    axes.set_xlabel("rank")
    axes.set_ylabel("singular value of J")
    if len(rank) <= 16:
        axes.set_xticks(rank)
    axes.legend(frameon=False, loc="upper right", fontsize=style.SMALL, borderpad=0, handlelength=1.2)
    _clear(axes)


def _histogram(axes: Axes, result: AssayResult, name: str, label: str) -> None:
    """Draw both sources over the same bins, as shares of their points."""
    values = {source: result.arrays[f"{name}_{source}"].values for source in COLOURS}
    values = {source: points[np.isfinite(points)] for source, points in values.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(values.values())), BINS)
    for source, points in values.items():
        if len(points):
            shares = np.histogram(points, edges)[0] / len(points)
            axes.stairs(shares, edges, color=COLOURS[source], fill=True, alpha=0.18)
            axes.stairs(shares, edges, color=COLOURS[source], label=NAMES[source], linewidth=1)
    axes.set_ylim(0, 1.25 * axes.get_ylim()[1])  # room for the legend
    axes.set_xlabel(label)
    axes.set_ylabel("share of points")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    if name != "divergence" and any(len(points) for points in values.values()):
        axes.legend(frameon=False, loc="upper right", borderpad=0)
    _clear(axes)


def _clear(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _percent(result: AssayResult) -> str:
    return f"{100 * float(result.settings['quantile'] or 0):.3g} %"


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    ratios = [f"{_score(result, f'mean_participation_{where}')} ({where})" for where in COLOURS]
    return figure_caption(
        result,
        provenance,
        f"{settings['num_points']:,} prior points, {settings['num_images']:,} images (codes: {settings['codes']})",
        f"jacobian {settings['jacobian']}" + (f", {settings['num_probes']} probes" if settings["num_probes"] else ""),
        "the dimension at codes of images counts, as prior points may lie in holes",
        f"participation ratio {', '.join(ratios)}: the effective number, in which strong directions weigh more",
        f"threshold {settings['threshold']}" if settings["threshold"] is not None else "",
    )
