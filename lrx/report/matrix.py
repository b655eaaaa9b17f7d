"""The latent response matrix as a picture, from a results file alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from lrx import results
from lrx.report import style
from lrx.types import AssayResult

ANNOTATED = 16  # up to so many latents, cells hold their numbers


def draw(path_h5: Path, folder: Path) -> list[Path]:
    """Draw the assay `response_matrix` of a file to `response_matrix.png` in the folder; the paths that were written.

    Up to 16 latents, a cell holds its value and ± its standard error. ValueError when the file has no such assay.
    """
    stored = results.read(path_h5)
    if "response_matrix" not in stored.assays:
        raise ValueError(f"{path_h5} has no response_matrix; it has {', '.join(stored.assays) or 'no assay'}")
    result = stored.assays["response_matrix"]
    matrix = result.arrays["matrix"]
    latents = len(matrix.values)
    side = max(1.5, 0.52 * latents) if latents <= ANNOTATED else 5.6
    with style.house():
        figure = style.figure(side + 1.4, side + 1.2)
        # boxes in inches, so that cells have the same size in every picture
        axes = figure.add_axes((0.6 / (side + 1.4), 0.5 / (side + 1.2), side / (side + 1.4), side / (side + 1.2)))
        bar = axes.inset_axes((1 + 0.12 / side, 0, 0.16 / side, 1))
        finite = np.where(np.isfinite(matrix.values), matrix.values, 0)
        top = float(finite.max()) or 1.0
        image = axes.imshow(matrix.values, cmap=style.SEQUENTIAL, vmin=0, vmax=top, interpolation="nearest")
        figure.colorbar(image, cax=bar, label=f"change of response ({matrix.unit})").outline.set_visible(False)
        _label(axes, result)
        if latents <= ANNOTATED:
            _annotate(axes, matrix.values, result.arrays["matrix_se"].values, top)
        _mark(axes, result)
        small_print = _small_print(result, stored.provenance_of["response_matrix"])
        style.title(axes, "Latent response matrix", small_print, characters=max(44, int(17 * side)))
        return [style.save(figure, folder / "response_matrix.png")]


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


def _annotate(axes: Axes, matrix: np.ndarray, se: np.ndarray, top: float) -> None:
    for (row, column), value in np.ndenumerate(matrix):
        colour = "black" if value > 0.55 * top else "white"
        axes.text(column, row - 0.14, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
        error = f"±{se[row, column]:.2f}"
        axes.text(column, row + 0.22, error, ha="center", va="center", fontsize=6, color=colour)


def _mark(axes: Axes, result: AssayResult) -> None:
    """A triangle above the column of each informative latent, and what it means."""
    informative = result.arrays["informative"].values.astype(bool)
    axes.scatter(
        np.flatnonzero(informative),
        np.full(informative.sum(), 1.0),
        marker="v",
        s=16 if len(informative) <= ANNOTATED else 5,
        color=style.ACCENT,
        linewidths=0,
        transform=offset_copy(axes.get_xaxis_transform(), axes.get_figure(), y=5, units="points"),
        clip_on=False,
    )


def _small_print(result: AssayResult, provenance: results.Provenance) -> str:
    source = provenance.get("dataset_source")
    informative = result.arrays["informative"].values
    parts = [
        str(provenance.get("model", "model not recorded")),
        str(provenance.get("dataset", "data set not recorded")) + (f" ({source})" if source else ""),
        f"base {result.settings['base']}",
        f"{result.settings['num_samples']:,} draws",
        f"normalization {result.settings['normalization']}",
        f"▾ informative: {informative.sum()} of {len(informative)}",
    ]
    return " · ".join(parts)
