"""Latent response matrix as a picture, from a results file alone."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from lrx.assays.plotting import style
from lrx.assays.plotting.annotations import annotate
from lrx.assays.plotting.figure_caption import figure_caption, informative
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.response_scale import identity_response
from lrx.assays.plotting.unit_words import unit_word
from lrx.core.types import AssayResult
from lrx.storage import results

NARROW = 4  # latents, at most, of a matrix in one column
ANNOTATED = 16  # latents, at most, of a matrix whose cells hold their numbers
BAR, LEFT, RIGHT = 0.1, 0.5, 0.6  # inches of the colour bar, and of what stands beside the matrix


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the matrix; of up to 16 latents, a cell holds its value and ± its standard error where there is room."""
    matrix = result.arrays["matrix"]
    latents = len(matrix.values)
    wide = style.width(style.SINGLE if latents <= NARROW else style.DOUBLE)
    side = wide - LEFT - BAR - RIGHT
    high = side + 0.5
    figure = style.figure(wide, high)
    axes = figure.add_axes((LEFT / wide, 0.4 / high, side / wide, side / high))
    bar = axes.inset_axes((1 + 0.08 / side, 0, BAR / side, 1))
    # the colours of an identity autoencoder, so that pictures compare, unless a response is stronger
    scale = str(result.settings["normalization"])
    top = float(matrix.values[np.isfinite(matrix.values)].max(initial=identity_response(scale)))
    low, top = style.shared("response", 0, top)
    image = axes.imshow(matrix.values, cmap=style.SEQUENTIAL, vmin=low, vmax=top, interpolation="nearest")
    figure.colorbar(image, cax=bar, label=f"change of response ({matrix.unit})").outline.set_visible(False)
    _label(axes, result)
    if latents <= ANNOTATED:
        annotate(figure, axes, matrix.values, result.arrays["matrix_se"].values, top, cell=72 * side / latents)
    _mark(figure, axes, result)
    key = informative(result, str(result.arrays["informative"].values.sum()), scale)
    heading(axes, "Latent response matrix", _caption(result, provenance), key=key, above=8)
    return {"response_matrix": figure}


def _label(axes: Axes, result: AssayResult) -> None:
    word = unit_word(result) or "unit"
    axes.set_xlabel(f"responding {word}")
    axes.set_ylabel(f"intervened {word}")
    for axis, name in ((axes.xaxis, "responding"), (axes.yaxis, "intervened")):
        labels = result.coordinates[name]
        if len(labels) <= ANNOTATED:
            axis.set_ticks(range(len(labels)), [str(label) for label in labels])
        else:
            axis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 4, 8, 10]))
    if len(result.coordinates["responding"]) <= ANNOTATED:
        axes.tick_params(length=0)


def _mark(figure: Figure, axes: Axes, result: AssayResult) -> None:
    """Draw a triangle above the column of each informative latent."""
    marked = result.arrays["informative"].values.astype(bool)
    axes.plot(
        np.flatnonzero(marked),
        np.full(marked.sum(), 1.0),
        "v",
        markersize=4 if len(marked) <= ANNOTATED else 2,
        color=style.ACCENT,
        markeredgewidth=0,
        transform=offset_copy(axes.get_xaxis_transform(), figure, y=4, units="points"),
        clip_on=False,
    )


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    return figure_caption(
        result,
        provenance,
        f"base {settings['base']}",
        f"{settings['num_samples']:,} draws",
        f"normalization {settings['normalization']}",
        f"largest standard error {result.arrays['matrix_se'].values.max():.2g}",
    )
