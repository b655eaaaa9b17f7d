"""The conditioned response matrix as a picture, from a results file alone: a row a factor, a column a latent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from lrx import results
from lrx.report import drawing, style
from lrx.types import AssayResult

NAME = "conditioned_response"
ANNOTATED = 24  # up to so many latents, cells hold their numbers
CELL = 0.5  # inches of a cell with numbers
WIDEST = 7.5  # inches of a matrix without
LEAST = 2**0.5  # colours reach at least to the response of a latent of unit variance that one factor moves


def draw(path_h5: Path, folder: Path) -> list[Path]:
    """Draw to `conditioned_response.png` in the folder; the paths that were written.

    Up to 24 latents, a cell holds its value and ± its standard error. A frame marks the factor that each latent answers
    to most, as counted by the CDS. ValueError when the file has no such assay.
    """
    return drawing.draw(NAME, figures, path_h5, folder)


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """The picture, by the name of its file."""
    matrix = result.arrays["matrix"].values
    factors, latents = matrix.shape
    annotated = latents <= ANNOTATED
    width = max(2.6, CELL * latents) if annotated else WIDEST
    height = CELL * factors
    figure = style.figure(width + 2.4, height + 1.6)
    # boxes in inches, so that cells have the same size in every picture
    box = (1.4 / (width + 2.4), 0.5 / (height + 1.6), width / (width + 2.4), height / (height + 1.6))
    axes = figure.add_axes(box)
    bar = axes.inset_axes((1 + 0.12 / width, 0, 0.16 / width, 1))
    top = float(matrix.max(initial=LEAST))
    image = axes.imshow(matrix, cmap=style.SEQUENTIAL, vmin=0, vmax=top, interpolation="nearest", aspect="auto")
    label = "response (latent)" if factors > 3 else "response"
    figure.colorbar(image, cax=bar, label=label).outline.set_visible(False)
    axes.set_xlabel("latent")
    axes.set_yticks(range(factors), [str(name).replace("_", " ") for name in result.coordinates["factor"]])
    axes.tick_params(axis="y", length=0)
    if annotated:
        axes.set_xticks(range(latents), [str(label) for label in result.coordinates["latent"]])
        axes.tick_params(length=0)
        _annotate(figure, axes, matrix, result.arrays["matrix_se"].values, top)
        _frame(axes, matrix, float(result.settings["threshold"] or 0))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 4, 8, 10]))
    small_print = _small_print(result, provenance, annotated)
    style.title(axes, "Conditioned response matrix", small_print, characters=max(44, int(17 * width)))
    return {NAME: figure}


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


def _frame(axes: Axes, matrix: np.ndarray, threshold: float) -> None:
    """A frame around the largest cell of each column that has one above the threshold."""
    for column in np.flatnonzero(matrix.max(axis=0) > threshold):
        corner = (column - 0.46, matrix[:, column].argmax() - 0.46)
        axes.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=style.ACCENT, linewidth=1.2))


def _small_print(result: AssayResult, provenance: results.Provenance, framed: bool) -> str:
    source, scores = provenance.get("dataset_source"), result.scores
    groups = result.arrays["num_groups"].values
    spread = f"{groups.min()}" if groups.min() == groups.max() else f"{groups.min()} to {groups.max()}"
    parts = [
        str(provenance.get("model", "model not recorded")).rpartition(".")[2],
        str(provenance.get("dataset", "data set not recorded")) + (f" ({source})" if source else ""),
        f"{spread} groups of a factor",
        str(result.settings["reduction"]).replace("_", " "),
        f"CDS {_with_error(scores, 'cds')}",
        f"corrected for chance {_with_error(scores, 'cds_corrected')}",
        f"completeness {_with_error(scores, 'completeness')}",
        f"answering latents {scores['num_answering']:.0f} of {result.arrays['matrix'].values.shape[1]}",
        f"factors without a latent {scores['num_uncovered']:.0f} of {len(groups)}",
        *(["□ the factor each latent answers to most"] if framed else []),
    ]
    return " · ".join(parts)


def _with_error(scores: Mapping[str, float], name: str) -> str:
    value = scores[name]
    return "not defined" if np.isnan(value) else f"{value:.2f}±{scores[f'{name}_se']:.2f}"
