"""Picture of the disentanglement metrics, from a results file: scores with errors, and maps of latents by factors.

Which scores there are, their names and ranges are read from the records in lrx/metrics; a score without a record, of
another version of lrx, is a number below the dots. D latents, F factors.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from lrx.assays.plotting import style
from lrx.assays.plotting.annotations import error_digits
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.core.text import humanize, join_names, with_error
from lrx.core.types import AssayResult
from lrx.metrics import catalog
from lrx.metrics.record import Score
from lrx.storage import results

ANNOTATED = 16  # up to so many latents and factors, cells hold their numbers
SHOWN = 2  # maps side by side, the first that the file has
ROW, LEFT, DOTS, GAP, FOOT = 0.26, 2.0, 3.2, 1.1, 0.9  # inches


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw `metrics`: scores of at most 1 as dots with ± one standard error, others as numbers below, and maps.

    A dot without a bar has no estimate of its error; one below 0 stands at 0, with its number beside it.
    """
    bounded, numbers = _bounded(), _numbers(result)
    maps = [name for name in _titles() if name in result.arrays][:SHOWN]
    latents, factors = len(result.coordinates["latent"]), len(result.coordinates["factor"])
    cell = 0.34 if latents <= ANNOTATED else 3.6 / latents
    high = max(ROW * (len(bounded) + len(numbers) + 1.5), cell * latents + FOOT)
    wide = min(0.46 * factors, 7.4)
    width, height = LEFT + DOTS + len(maps) * (wide + GAP), high + 0.9
    figure = style.figure(width, height)

    def box(left: float, across: float, down: float) -> Axes:
        """Add axes with lengths in inches, so that rows and cells have one size in every picture."""
        return figure.add_axes((left / width, 1 - (0.45 + down) / height, across / width, down / height))

    axes = box(LEFT, DOTS - 0.9, ROW * len(bounded))
    _draw_dots(axes, result, bounded)
    _draw_chance(axes, bounded, result)
    _draw_numbers(figure, axes, result, numbers)
    for place, name in enumerate(maps):
        left = LEFT + DOTS + GAP * 0.55 + place * (wide + GAP)
        _draw_map(box(left, wide, cell * latents), box(left + wide + 0.08, 0.1, cell * latents), result, name)
    caption = _caption(result, provenance, bounded)
    style.title(axes, "Disentanglement metrics", caption, characters=int(17 * (width - LEFT)), above=9)
    return {"metrics": figure}


def _bounded() -> dict[str, Score]:
    """Return the scores that have dots: all those of the records whose largest value is 1, measured or not."""
    return {name: score for name, score in catalog.scores().items() if score.range and score.range[1] == 1}


def _numbers(result: AssayResult) -> dict[str, str]:
    """Return the labels of all other scores of a result: those of the records first, then those without a record."""
    records, bounded = catalog.scores(), _bounded()
    errors = {f"{name}_se" for name in result.scores}
    labels = {name: score.label for name, score in records.items() if name in result.scores and name not in bounded}
    unrecorded = [name for name in result.scores if name not in records and name not in errors]
    return labels | {name: humanize(name) for name in unrecorded}


def _titles() -> dict[str, str]:
    """Return the titles of the maps of all metrics, by the name of the array."""
    return {name: title for metric in catalog.metrics().values() for name, title in metric.maps.items()}


def _draw_dots(axes: Axes, result: AssayResult, bounded: dict[str, Score]) -> None:
    for row, name in enumerate(bounded):
        if name not in result.scores:
            axes.text(0.0, row, "not computed", fontsize=7, color=style.QUIET, va="center")
            continue
        value, error = result.scores[name], result.scores.get(f"{name}_se")
        place = max(0.0, value)
        axes.plot([place], [row], "o", markersize=4.5, color=style.ACCENT, clip_on=False)
        if error is not None:
            axes.errorbar([place], [row], xerr=[error], elinewidth=1.2, capsize=2.5, color=style.ACCENT, clip_on=False)
        text = f"{value:.3f}" if error is None else f"{value:.3f} ± {error_digits(error, 3)}"
        axes.annotate(text, (1, row), (6, 0), ("axes fraction", "data"), "offset points", fontsize=7, va="center")
    axes.set_xlim(0, 1)
    axes.set_ylim(len(bounded) - 0.5, -0.5)
    axes.set_yticks(range(len(bounded)), [score.label for score in bounded.values()])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _draw_chance(axes: Axes, bounded: dict[str, Score], result: AssayResult) -> None:
    """Draw a dotted mark at chance in the rows of scores that have one, and its value once above the axes.

    Measured levels have no label there: they are among the numbers.
    """
    factors, labels = len(result.coordinates["factor"]), dict[float, str]()
    for row, score in enumerate(bounded.values()):
        if score.chance is None:
            continue
        if score.chance == "1/F":
            level = 1 / factors
            labels.setdefault(level, f"1/{factors}")
        elif isinstance(score.chance, str):
            level = max(0.0, result.scores.get(score.chance, math.nan))
        else:
            level = score.chance
            labels.setdefault(level, f"{level:g}")
        axes.plot([level] * 2, [row - 0.5, row + 0.5], color=style.QUIET, linewidth=1.0, linestyle=(0, (1, 2)))
    for level, label in labels.items():
        place = level, 1
        axes.annotate(label, place, (0, 2), ("data", "axes fraction"), "offset points", fontsize=7, ha="center")


def _draw_numbers(figure: Figure, axes: Axes, result: AssayResult, labels: dict[str, str]) -> None:
    """Draw the scores without a dot as text below the dots."""
    for row, (name, label) in enumerate(labels.items(), start=1):
        y = -ROW * 72 * 0.8 * row - 14
        value = with_error(result.scores[name], result.scores.get(f"{name}_se"))
        for text, side, aside, align in ((label, 0, -5, "right"), (value, 1, 6, "left")):
            shift = offset_copy(axes.transAxes, figure, aside, y, "points")
            axes.text(side, 0, text, fontsize=7, ha=align, va="center", transform=shift)


def _draw_map(axes: Axes, bar: Axes, result: AssayResult, name: str) -> None:
    matrix = result.arrays[name]
    values = matrix.values
    latents, factors = values.shape
    top = float(np.nanmax(values, initial=1.0 if matrix.unit == "1" else 1e-9))
    image = axes.imshow(values, cmap=style.SEQUENTIAL, vmin=0, vmax=top, aspect="auto", interpolation="nearest")
    bar.figure.colorbar(image, cax=bar).outline.set_visible(False)
    bar.tick_params(labelsize=7)
    unit = "" if matrix.unit == "1" else f" ({matrix.unit})"
    axes.set_title(_titles()[name] + unit, fontsize=9, loc="left", pad=4)
    labels = [humanize(str(label)) for label in result.coordinates["factor"]]
    axes.set_xticks(range(factors), labels, rotation=40, ha="right")
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
        if np.isnan(value):
            continue
        colour = "black" if value > 0.5 * top else "white"
        cell = axes.text(column, row, f"{value:.2f}", fontsize=7, color=colour, ha="center", va="center")
        cell.set_in_layout(False)


def _caption(result: AssayResult, provenance: results.Provenance, bounded: dict[str, Score]) -> str:
    settings = result.settings
    one_valued = settings["factors_left_out"]
    chance = [score.label for score in bounded.values() if score.chance is not None]
    return figure_caption(
        result,
        provenance,
        f"preset {settings['preset']}",
        f"{settings['num_images']:,} images",
        "± one standard error, where it can be estimated",
        f"dotted: chance for {join_names(chance)}" if chance else "",
        f"one-valued, left out: {one_valued}" if one_valued else "",
    )
