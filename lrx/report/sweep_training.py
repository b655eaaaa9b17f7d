"""Training of the runs of a sweep: last losses as scores, and curves of all runs in the same panels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lrx.assays.plotting import style
from lrx.report import pictures, training_curves
from lrx.report.pictures import Picture
from lrx.report.sweep_runs import Key, SweepRun
from lrx.runs.table import TRAINED

MOST_CURVES = 60  # runs that are drawn
MOST_NAMED = 8  # groups in the legend
COLOURS = ("#b3391f", "#2166ac", "#1b7837", "#762a83", "#b8860b", "#4d4d4d", "#c51b7d", "#01665e")
LOOKS = tuple((colour, dashes) for dashes in ("-", "--", ":", "-.") for colour in COLOURS)  # of groups


def last_losses(curves: Sequence[Mapping[str, float]]) -> dict[Key, float]:
    """Return the scalars of the last row of a log as scores, the loss first."""
    last = curves[-1] if curves else {}
    names = sorted((name for name in last if name != "step"), key=lambda name: name != "loss")
    return {(TRAINED, name): float(last[name]) for name in names}


def draw_curves(rows: Sequence[SweepRun], groups: Sequence[str]) -> tuple[Picture | None, list[str]]:
    """Draw the curves of runs, a look for each group; None without any, and a line where they cannot be drawn."""
    names = list(dict.fromkeys(groups))
    logged = [(row, group) for row, group in zip(rows, groups, strict=True) if row.curves]
    shown = _some_of_each_group(logged)
    if not shown:
        return None, []
    looks = [LOOKS[names.index(group) % len(LOOKS)] for _, group in shown]
    used = list(dict.fromkeys(group for _, group in shown))
    left_out = f" {len(shown)} of {len(logged)} runs." if len(shown) < len(logged) else ""
    left_out += f" {MOST_NAMED} of {len(used)} groups are named." if len(used) > MOST_NAMED else ""
    try:
        with style.plot_style():
            figure = training_curves.figure(*(row.curves for row, _ in shown), looks=looks, labels=used[:MOST_NAMED])
            alt = f"Training curves of {len(shown)} runs: {', '.join(used)}."
            return pictures.as_picture(figure, alt, caption=f"{training_curves.CAPTION}{left_out}"), []
    except Exception as error:  # drawing raises anything, for numbers that a log may hold
        return None, [f"training curves cannot be drawn ({pictures.reason(error)})"]


def _some_of_each_group(logged: Sequence[tuple[SweepRun, str]]) -> list[tuple[SweepRun, str]]:
    """Return at most MOST_CURVES runs with their groups, in their order: the first ones of every group."""
    counts, ranks = Counter[str](), []
    for place, (_, group) in enumerate(logged):
        ranks.append((counts[group], place))
        counts[group] += 1
    return [logged[place] for place in sorted(place for _, place in sorted(ranks)[:MOST_CURVES])]
