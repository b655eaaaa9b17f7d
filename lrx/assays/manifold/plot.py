"""Response in all dimensions: spectra of the Jacobian, histograms of divergence and magnitude."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.core.text import with_error
from lrx.core.types import AssayResult
from lrx.storage import results

COLOURS = {"prior": style.ACCENT, "posterior": "#00429d"}
NAMES = {"prior": "prior points", "posterior": "codes of images"}
BINS = 40


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file; without a spectrum, the participation ratio takes its place."""
    figure = style.figure(10.2, 3.6)
    boxes = [figure.add_axes((0.06 + 0.33 * place, 0.15, 0.26, 0.62)) for place in range(3)]
    if "spectrum_prior" in result.arrays:
        _spectra(boxes[0], result)
    else:
        _histogram(boxes[0], result, "participation", "participation ratio")
    _histogram(boxes[1], result, "divergence", "divergence tr J − D")
    low, high = boxes[1].get_xlim()
    if min(abs(low), abs(high)) < 2 * (high - low):  # a distant line would compress the histogram
        boxes[1].axvline(0, ymax=0.8, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
    _histogram(boxes[2], result, "magnitude", "|u| (latent)")
    boxes[2].set_ylabel("")
    for axes, name in ((boxes[1], "divergence"), (boxes[2], "magnitude")):
        mass, error = (result.scores[f"holes_by_{name}{end}"] for end in ("", "_se"))
        criterion = "at 0 or above" if name == "divergence" else f"above {_percent(result)} of codes"
        text = f"{100 * mass:.1f} ± {100 * error:.1f} % of the prior {criterion}"
        axes.set_title(text, fontsize=7.5, color=style.ACCENT, loc="left", pad=4)
    level = float(np.quantile(result.arrays["magnitude_posterior"].values, float(result.settings["quantile"] or 0)))
    boxes[2].axvline(level, ymax=0.8, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
    style.title(boxes[0], "Manifold of responses", _caption(result, provenance), characters=165, above=9)
    return {"manifold": figure}


def _spectra(axes: Axes, result: AssayResult) -> None:
    """Draw the median spectrum of each source, and the band between its 10th and 90th percentile."""
    rank = result.coordinates["rank"]
    for source, colour in COLOURS.items():
        low, middle, high = np.percentile(result.arrays[f"spectrum_{source}"].values, [10, 50, 90], axis=0)
        axes.fill_between(rank, low, high, color=colour, alpha=0.18, linewidth=0)
        mean, error = (result.scores[f"mean_dimension_{source}{end}"] for end in ("", "_se"))
        label = f"{NAMES[source]}: dimension {mean:.2f} ± {error:.1g}"
        axes.plot(rank, middle, color=colour, marker="o" if len(rank) <= 32 else "", markersize=3, label=label)
    threshold = float(result.settings["threshold"] or 0)
    axes.axhline(threshold, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_ylim(0, axes.get_ylim()[1])
    axes.set_xlabel("rank")
    axes.set_ylabel("singular value of J")
    if len(rank) <= 16:
        axes.set_xticks(rank)
    axes.legend(frameon=False, fontsize=7, loc="upper right")
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
    if any(len(points) for points in values.values()):
        axes.legend(frameon=False, fontsize=7, loc="upper right")
    _clear(axes)


def _clear(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _percent(result: AssayResult) -> str:
    return f"{100 * float(result.settings['quantile'] or 0):.3g} %"


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    ratios = [
        f"{with_error(*(result.scores[f'mean_participation_{where}{end}'] for end in ('', '_se')))} ({where})"
        for where in COLOURS
    ]
    return figure_caption(
        result,
        provenance,
        f"{settings['num_points']:,} prior points, {settings['num_images']:,} images (codes: {settings['codes']})",
        f"jacobian {settings['jacobian']}" + (f", {settings['num_probes']} probes" if settings["num_probes"] else ""),
        f"participation ratio {', '.join(ratios)}",
        f"threshold {settings['threshold']}" if settings["threshold"] is not None else "",
    )
