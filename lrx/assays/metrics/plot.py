"""Picture of the disentanglement metrics, from a results file: scores with errors, and maps of latents by factors.

Which scores there are, their names and ranges are read from the records in lrx/metrics; a score without a record, of
another version of lrx, stands with those that have no upper bound. D latents, F factors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from lrx.assays.metrics.chance import chance_of, num_class_factors
from lrx.assays.plotting import style
from lrx.assays.plotting.factor_maps import draw_maps
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.core.rounding import plus_minus
from lrx.core.text import humanize, join_names
from lrx.core.types import AssayResult
from lrx.metrics import catalog
from lrx.metrics.record import Score
from lrx.storage import results

WIDE = 5.0  # inches from which maps may lie beside the scores
BESIDE = 16  # factors, at most, of maps beside the scores
SMALLEST = 6.0  # points of letters in one column
SHOWN = 2  # maps, the first that the file has
ROW, LABEL, VALUE, GAP, AXIS = 0.165, 1.62, 0.78, 0.42, 0.42  # inches


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw `metrics`: scores of at most 1 as dots with ± one standard error, other scores below, and maps.

    A dot without a bar has no estimate of its error; one below 0 stands at 0, with its number beside it.
    """
    bounded, others = _bounded(result), _others(result)
    maps = [name for name in titles() if name in result.arrays][:SHOWN]
    latents, factors = (len(result.coordinates[axis]) for axis in ("latent", "factor"))
    wide = style.width(style.DOUBLE)
    beside = wide >= WIDE and factors <= BESIDE and bool(maps)
    left = wide - (0.43 * wide if beside else 0)
    groups = [labels for labels in (bounded, others) if labels]
    shrink = 1.0 if beside else 0.7
    row = ROW / shrink  # labels take more of a narrow page, to which rows are scaled as well
    dots = sum(row * len(labels) + AXIS for labels in groups)
    map_high = max(0.7, min(1.6, 0.15 * latents)) if latents <= 10 or latents > BESIDE else 0.14 * latents
    maps_high = len(maps) * (map_high + 0.3) + 0.6 if maps else 0.0
    high = max(dots, maps_high) if beside else dots + maps_high
    figure = style.figure(wide, high)

    def box(from_left: float, across: float, from_top: float, down: float) -> Axes:
        """Add axes with lengths in inches, so that rows and cells have one size in every picture."""
        return figure.add_axes((from_left / wide, 1 - (from_top + down) / high, across / wide, down / high))

    top, first = 0.0, None
    for labels in groups:
        axes = box(LABEL, left - LABEL - VALUE, top, row * len(labels))
        _draw_dots(axes, result, labels, unit=labels is bounded)
        top += row * len(labels) + AXIS
        first = first or axes
    assert first is not None
    chance = _draw_chance(first, result, bounded) if bounded else []
    across = wide - left - GAP - 0.4 if beside else wide - LABEL - 0.4
    places = [(0.0 if beside else dots) + 0.16 + number * (map_high + 0.3) for number in range(len(maps))]
    axes_of = {
        name: box(left + GAP if beside else LABEL, across, place, map_high)
        for name, place in zip(maps, places, strict=True)
    }
    draw_maps(axes_of, result, titles(), cell=72 * shrink * across / factors, row=72 * map_high / latents)
    key = f"dotted: chance for {join_names(chance, 3)}" if chance else ""
    above = 10 if chance or (beside and maps) else 0
    heading(first, "Disentanglement metrics", _caption(result, provenance), key=key, above=above)
    return {"metrics": figure}


def titles() -> dict[str, str]:
    """Return the titles of the maps of all metrics, by the name of the array."""
    return {name: title for metric in catalog.metrics().values() for name, title in metric.maps.items()}


def _is_bounded(score: Score) -> bool:
    return bool(score.range and score.range[1] == 1)


def _bounded(result: AssayResult) -> dict[str, str]:
    """Return the labels of the scores of a result whose largest value is 1."""
    records = catalog.scores()
    return {name: score.label for name, score in records.items() if _is_bounded(score) and name in result.scores}


def _others(result: AssayResult) -> dict[str, str]:
    """Return the labels of the scores without an upper bound, and after them those without a record; not counts."""
    records = catalog.scores()
    errors = {f"{name}_se" for name in result.scores}
    labels = {
        name: score.label
        for name, score in records.items()
        if name in result.scores and not _is_bounded(score) and score.has_se
    }
    return labels | {name: humanize(name) for name in result.scores if name not in records and name not in errors}


def _draw_dots(axes: Axes, result: AssayResult, labels: Mapping[str, str], *, unit: bool) -> None:
    """Draw a score a row. unit: whether the axis goes from 0 to 1, else to what the scores need."""
    top, is_wide = 1.0, style.width(style.DOUBLE) >= WIDE
    size = style.SMALL if is_wide else SMALLEST
    for row, name in enumerate(labels):
        value, error = result.scores[name], result.scores.get(f"{name}_se", math.nan)
        if math.isfinite(value):
            place, bar = max(0.0, value), error if math.isfinite(error) else 0.0
            axes.plot([place], [row], "o", markersize=4, color=style.ACCENT, clip_on=False)
            axes.plot([max(0.0, place - bar), place + bar], [row] * 2, linewidth=1.2, color=style.ACCENT, clip_on=False)
            top = max(top, place + bar)
        text = plus_minus(value, error) if math.isfinite(value) else "not defined"
        place_of_text = offset_copy(axes.get_yaxis_transform(), axes.get_figure(root=True), 6, 0, "points")
        axes.text(1, row, text, fontsize=size, va="center", transform=place_of_text)
    if not unit:
        finite = [result.scores[name] + result.scores.get(f"{name}_se", 0.0) for name in labels]
        top = max([1.05 * value for value in finite if math.isfinite(value)] or [1.0])
    axes.set_xlim(0, (top if not unit else 1) or 1.0)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), list(labels.values()))
    axes.tick_params(axis="y", length=0, labelsize=style.TICK if is_wide else SMALLEST)
    axes.xaxis.set_major_locator(MaxNLocator(5 if is_wide else 2))
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_chance(axes: Axes, result: AssayResult, bounded: Mapping[str, str]) -> list[str]:
    """Draw a dotted mark at chance in the rows of scores that have one, and in a wide picture its value once above.

    Return the labels of these scores. Measured levels have no label.
    """
    labels, named = dict[float, str](), []
    for row, name in enumerate(bounded):
        score = catalog.scores()[name]
        chance = chance_of(score, result)
        if chance is None:
            continue
        level = max(0.0, chance)
        if score.chance == "1/F":
            labels.setdefault(level, f"1/{num_class_factors(result)}")
        elif not isinstance(score.chance, str):
            labels.setdefault(level, f"{level:g}")
        named.append(score.label)
        axes.plot([level] * 2, [row - 0.5, row + 0.5], color=style.QUIET, linewidth=1.0, linestyle=(0, (1, 2)))
    for level, label in labels.items() if style.width(style.DOUBLE) >= WIDE else ():
        above = offset_copy(axes.get_xaxis_transform(), axes.get_figure(root=True), 0, 2, "points")
        axes.text(level, 1, label, fontsize=style.SMALL, ha="center", transform=above)
    return named


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings, records = result.settings, catalog.scores()
    counts = [
        f"{score.label} {result.scores[name]:.3g}"
        for name, score in records.items()
        if name in result.scores and not _is_bounded(score) and not score.has_se
    ]
    absent = [score.label for name, score in records.items() if _is_bounded(score) and name not in result.scores]
    one_valued = settings["factors_left_out"]
    return figure_caption(
        result,
        provenance,
        f"preset {settings['preset']}",
        f"{settings['num_images']:,} images",
        "± one standard error, where it can be estimated",
        f"one-valued, left out: {one_valued}" if one_valued else "",
        *counts,
        f"not computed: {join_names(absent, 20)}" if absent else "",
    )
