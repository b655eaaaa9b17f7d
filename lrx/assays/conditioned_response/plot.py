"""Heat map of a conditioned response matrix: one row per factor, one column per latent."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from lrx.assays.conditioned_response.summary import in_units
from lrx.assays.plotting import style
from lrx.assays.plotting.annotations import annotate
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.core.text import humanize, with_error
from lrx.core.types import AssayResult
from lrx.storage import results

LABELLED = 24  # latents, at most, whose columns are all labelled
ROW = 0.4  # inches of a factor
NAMES, BAR = 0.85, 0.65  # inches of the names of factors, and of the scale
LEAST = 2**0.5  # top of the colour scale, at least: response of a unit-variance latent that depends on one factor


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file.

    A cell holds its value and ± its standard error where there is room. A frame marks the factor to which each latent
    responds most, as the CDS counts it.
    """
    matrix = result.arrays["matrix"].values
    factors, latents = matrix.shape
    wide = style.width(style.DOUBLE)
    width, height = wide - NAMES - BAR, ROW * factors
    figure = style.figure(wide, height + 0.4)
    axes = figure.add_axes((NAMES / wide, 0.4 / (height + 0.4), width / wide, height / (height + 0.4)))
    bar = axes.inset_axes((1 + 0.08 / width, 0, 0.1 / width, 1))
    low, top = style.shared("response", 0, float(matrix.max(initial=LEAST)))
    image = axes.imshow(matrix, cmap=style.SEQUENTIAL, vmin=low, vmax=top, interpolation="nearest", aspect="auto")
    label = "response (latent)" if factors > 3 else "response"
    figure.colorbar(image, cax=bar, label=label).outline.set_visible(False)
    axes.set_xlabel("latent")
    axes.set_yticks(range(factors), [humanize(str(name)) for name in result.coordinates["factor"]])
    axes.tick_params(axis="y", length=0)
    framed = latents <= LABELLED and _frame(axes, in_units(result), float(result.settings["threshold"] or 0))
    if latents <= LABELLED:
        every = 1 if 72 * width / latents >= 11 else 2
        axes.set_xticks(range(0, latents, every), [str(label) for label in result.coordinates["latent"][::every]])
        axes.tick_params(length=0)
        annotate(figure, axes, matrix, result.arrays["matrix_se"].values, top, cell=72 * width / latents)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 4, 8, 10]))
    key = "□\N{NO-BREAK SPACE}the factor each latent answers to most" if framed else ""
    heading(axes, "Conditioned response matrix", _caption(result, provenance), key=key)
    return {"conditioned_response": figure}


def _frame(axes: Axes, matrix: np.ndarray, threshold: float) -> bool:
    """Frame the largest cell of each column that has one above the threshold, in units; return whether there is any."""
    columns = np.flatnonzero(matrix.max(axis=0) > threshold)
    for column in columns:
        corner = (column - 0.46, matrix[:, column].argmax() - 0.46)
        axes.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor="white", linewidth=1.0))
    return len(columns) > 0


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    scores, groups = result.scores, result.arrays["num_groups"].values
    spread = f"{groups.min()}" if groups.min() == groups.max() else f"{groups.min()} to {groups.max()}"
    shares = {"cds": "CDS", "cds_corrected": "corrected for chance", "completeness": "completeness"}
    responsive = scores["num_responsive" if "num_responsive" in scores else "num_answering"]  # as version 0.1 wrote
    return figure_caption(
        result,
        provenance,
        f"{spread} groups of a factor",
        humanize(str(result.settings["reduction"])),
        # of a single factor there is no CDS
        *(
            f"{word} {with_error(scores[name], scores[f'{name}_se'])}"
            for name, word in shares.items()
            if name in scores
        ),
        f"responsive latents {responsive:.0f} of {result.arrays['matrix'].values.shape[1]}",
        f"factors without a latent {scores['num_uncovered']:.0f} of {len(groups)}",
    )
