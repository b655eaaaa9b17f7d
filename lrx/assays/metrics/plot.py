"""The disentanglement metrics as a picture, from a results file alone: scores with errors, and latents by factors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from lrx.assays.plotting import drawing, style
from lrx.assays.plotting.annotations import error_digits
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.core.text import humanize, with_error
from lrx.core.types import AssayResult
from lrx.storage import results

NAME = "metrics"
ANNOTATED = 16  # up to so many latents and factors, cells hold their numbers
UNBOUNDED = {
    "gaussian_total_correlation": "Gaussian total correlation (nat)",
    "wasserstein_correlation": "Wasserstein correlation (latent²)",
    "wasserstein_correlation_normalised": "Wasserstein correlation, normalised",
    "mutual_information_score": "information of pairs of latents (nat)",
}
BOUNDED = {
    "mig": "MIG",
    "sap": "SAP",
    "dci_disentanglement": "DCI disentanglement",
    "dci_completeness": "DCI completeness",
    "dci_informativeness": "DCI informativeness",
    "factorvae": "FactorVAE",
    "betavae": "BetaVAE",
    "irs": "IRS",
    "modularity": "modularity",
    "explicitness": "explicitness",
}
MATRICES = {
    "mutual_information": "Mutual information",
    "dci_importance": "DCI importance",
    "sap_accuracy": "SAP accuracy",
    "irs_matrix": "IRS robustness",
}
SHOWN = 2  # matrices side by side, the first that the file has
ROW, LEFT, DOTS, GAP, FOOT = 0.26, 2.0, 3.2, 1.1, 0.9  # inches


def draw(path_h5: Path, folder: Path) -> list[Path]:
    """Draw the assay `metrics` of a file to `metrics.png` in the folder; the paths that were written.

    Scores in [0, 1] are dots with ± one standard error; a dot without a bar has no estimate of it. Scores without an
    upper bound are numbers below. ValueError when the file has no such assay.
    """
    return drawing.draw(NAME, figures, path_h5, folder)


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """The picture, by the name of its file."""
    matrices = [name for name in MATRICES if name in result.arrays][:SHOWN]
    latents, factors = len(result.coordinates["latent"]), len(result.coordinates["factor"])
    cell = 0.34 if latents <= ANNOTATED else 3.6 / latents
    tall = max(ROW * (len(BOUNDED) + len(UNBOUNDED) + 1.5), cell * latents + FOOT)
    wide = min(0.46 * factors, 7.4)
    width, height = LEFT + DOTS + len(matrices) * (wide + GAP), tall + 0.9
    figure = style.figure(width, height)

    def box(left: float, top: float, across: float, down: float) -> Axes:
        """Axes in inches from the upper left corner, so that rows and cells have one size in every picture."""
        return figure.add_axes((left / width, 1 - (top + down) / height, across / width, down / height))

    scores = box(LEFT, 0.45, DOTS - 0.9, ROW * len(BOUNDED))
    _dots(scores, result)
    _numbers(figure, scores, result)
    for place, name in enumerate(matrices):
        left = LEFT + DOTS + GAP * 0.55 + place * (wide + GAP)
        axes = box(left, 0.45, wide, cell * latents)
        _heat(figure, axes, box(left + wide + 0.08, 0.45, 0.1, cell * latents), result, name)
    said = _small_print(result, provenance)
    style.title(scores, "Disentanglement metrics", said, characters=int(17 * (width - LEFT)), above=9)
    return {NAME: figure}


def _dots(axes: Axes, result: AssayResult) -> None:
    for row, name in enumerate(BOUNDED):
        if name not in result.scores:
            axes.text(0.0, row, "not computed", fontsize=7, color=style.QUIET, va="center")
            continue
        value, error = result.scores[name], result.scores.get(f"{name}_se")
        axes.plot([value], [row], "o", markersize=4.5, color=style.ACCENT, clip_on=False)
        if error is not None:
            axes.errorbar([value], [row], xerr=[error], elinewidth=1.2, capsize=2.5, color=style.ACCENT, clip_on=False)
        said = f"{value:.3f}" if error is None else f"{value:.3f} ± {error_digits(error, 3)}"
        axes.annotate(said, (1, row), (6, 0), ("axes fraction", "data"), "offset points", fontsize=7, va="center")
    factors = len(result.coordinates["factor"])
    axes.axvline(1 / factors, color=style.QUIET, linewidth=1.0, linestyle=(0, (1, 2)))
    place = 1 / factors, 1
    axes.annotate(f"1/{factors}", place, (0, 2), ("data", "axes fraction"), "offset points", fontsize=7, ha="center")
    axes.set_xlim(0, 1)
    axes.set_ylim(len(BOUNDED) - 0.5, -0.5)
    axes.set_yticks(range(len(BOUNDED)), list(BOUNDED.values()))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _numbers(figure: Figure, axes: Axes, result: AssayResult) -> None:
    """The scores without an upper bound, as text below the dots."""
    known = [name for name in UNBOUNDED if name in result.scores]
    for row, name in enumerate(known, start=1):
        value, error = result.scores[name], result.scores[f"{name}_se"]
        y = -ROW * 72 * 0.8 * row - 14
        texts = ((UNBOUNDED[name], 0, -5, "right"), (with_error(value, error), 1, 6, "left"))
        for text, side, aside, align in texts:
            shift = offset_copy(axes.transAxes, figure, aside, y, "points")
            axes.text(side, 0, text, fontsize=7, ha=align, va="center", transform=shift)


def _heat(figure: Figure, axes: Axes, bar: Axes, result: AssayResult, name: str) -> None:
    matrix = result.arrays[name]
    values = matrix.values
    latents, factors = values.shape
    top = float(np.nanmax(values, initial=1.0 if matrix.unit == "1" else 1e-9))
    image = axes.imshow(values, cmap=style.SEQUENTIAL, vmin=0, vmax=top, aspect="auto", interpolation="nearest")
    figure.colorbar(image, cax=bar).outline.set_visible(False)
    bar.tick_params(labelsize=7)
    unit = "" if matrix.unit == "1" else f" ({matrix.unit})"
    axes.set_title(MATRICES[name] + unit, fontsize=9, loc="left", pad=4)
    axes.set_xticks(
        range(factors), [humanize(str(label)) for label in result.coordinates["factor"]], rotation=40, ha="right"
    )
    axes.tick_params(axis="x", pad=1, labelsize=8 if factors <= ANNOTATED else 5)
    axes.set_ylabel("latent", labelpad=3)
    if latents > ANNOTATED:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 4, 8, 10]))
        return
    axes.set_yticks(range(latents), [str(label) for label in result.coordinates["latent"]])
    axes.tick_params(length=0)
    if factors > ANNOTATED:
        return
    for (row, column), value in np.ndenumerate(values):
        colour = "black" if value > 0.5 * top else "white"
        cell = axes.text(column, row, f"{value:.2f}", fontsize=7, color=colour, ha="center", va="center")
        cell.set_in_layout(False)


def _small_print(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    one_valued, rare = settings["factors_left_out"], settings.get("metrics_left_out")
    return figure_caption(
        result,
        provenance,
        f"preset {settings['preset']}",
        f"{settings['num_images']:,} images",
        "± one standard error, where it can be estimated",
        "dotted: 1 / factors, chance for FactorVAE and BetaVAE",
        f"one-valued, left out: {one_valued}" if one_valued else "",
        f"too few images share a class, left out: {rare}" if rare else "",
    )
