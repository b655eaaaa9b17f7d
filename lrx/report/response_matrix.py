"""The latent response matrix as a picture, from a results file alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from lrx import results
from lrx.report import drawing, style
from lrx.types import AssayResult

NAME = "response_matrix"
ANNOTATED = 16  # up to so many latents, cells hold their numbers


def draw(path_h5: Path, folder: Path) -> list[Path]:
    """Draw the assay `response_matrix` of a file to `response_matrix.png` in the folder; the paths that were written.

    Up to 16 latents, a cell holds its value and ± its standard error. ValueError when the file has no such assay.
    """
    return drawing.draw(NAME, figures, path_h5, folder)


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """The picture, by the name of its file."""
    matrix = result.arrays["matrix"]
    latents = len(matrix.values)
    side = max(2.2, 0.52 * latents) if latents <= ANNOTATED else 5.6
    figure = style.figure(side + 1.4, side + 1.2)
    # boxes in inches, so that cells have the same size in every picture
    axes = figure.add_axes((0.6 / (side + 1.4), 0.5 / (side + 1.2), side / (side + 1.4), side / (side + 1.2)))
    bar = axes.inset_axes((1 + 0.12 / side, 0, 0.16 / side, 1))
    # the colours of an identity autoencoder, so that pictures compare, unless a response is stronger
    identity = math.sqrt(2) if result.settings["normalization"] == "none" else 1.0
    top = float(matrix.values[np.isfinite(matrix.values)].max(initial=identity))
    image = axes.imshow(matrix.values, cmap=style.SEQUENTIAL, vmin=0, vmax=top, interpolation="nearest")
    figure.colorbar(image, cax=bar, label=f"change of response ({matrix.unit})").outline.set_visible(False)
    _label(axes, result)
    if latents <= ANNOTATED:
        _annotate(figure, axes, matrix.values, result.arrays["matrix_se"].values, top)
    _mark(figure, axes, result)
    small_print = _small_print(result, provenance)
    style.title(axes, "Latent response matrix", small_print, characters=max(44, int(17 * side)))
    return {NAME: figure}


def _label(axes: Axes, result: AssayResult) -> None:
    axes.set_xlabel("responding latent")
    axes.set_ylabel("intervened latent")
    for axis, name in ((axes.xaxis, "responding"), (axes.yaxis, "intervened")):
        labels = result.coordinates[name]
        if len(labels) <= ANNOTATED:
            axis.set_ticks(range(len(labels)), [str(label) for label in labels])
        else:
            axis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 4, 8, 10]))
    if len(result.coordinates["responding"]) <= ANNOTATED:
        axes.tick_params(length=0)


def _annotate(figure: Figure, axes: Axes, matrix: np.ndarray, se: np.ndarray, top: float) -> None:
    """The value of each cell, and below it its standard error: two decimals, or one digit where that is nothing."""
    above, below = (offset_copy(axes.transData, figure, y=points, units="points") for points in (4, -6))
    for (row, column), value in np.ndenumerate(matrix):
        error = se[row, column]
        small = f"±{error:.2f}" if error == 0 or error >= 0.005 else f"±{error:.1g}"
        colour = "black" if value > 0.5 * top else "white"
        for text, size, place in ((f"{value:.2f}", 8, above), (small, 6, below)):
            cell = axes.text(column, row, text, fontsize=size, color=colour, ha="center", va="center", transform=place)
            cell.set_in_layout(False)  # inside the axes anyway; measuring hundreds of texts takes seconds


def _mark(figure: Figure, axes: Axes, result: AssayResult) -> None:
    """A triangle above the column of each informative latent, and what it means."""
    informative = result.arrays["informative"].values.astype(bool)
    axes.scatter(
        np.flatnonzero(informative),
        np.full(informative.sum(), 1.0),
        marker="v",
        s=16 if len(informative) <= ANNOTATED else 5,
        color=style.ACCENT,
        linewidths=0,
        transform=offset_copy(axes.get_xaxis_transform(), figure, y=5, units="points"),
        clip_on=False,
    )


def _small_print(result: AssayResult, provenance: results.Provenance) -> str:
    source = provenance.get("dataset_source")
    informative = result.arrays["informative"].values
    rule = result.arrays["informative"].description.partition(": ")[2]
    parts = [
        str(provenance.get("model", "model not recorded")).rpartition(".")[2],
        str(provenance.get("dataset", "data set not recorded")) + (f" ({source})" if source else ""),
        f"base {result.settings['base']}",
        f"{result.settings['num_samples']:,} draws",
        f"normalization {result.settings['normalization']}",
        f"▾ informative: {informative.sum()} of {len(informative)} ({rule})",
    ]
    return " · ".join(parts)
