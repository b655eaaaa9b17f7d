"""Part of a sweep's page on models that differ in their seed alone: means of scores and matrices with both errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lrx.assays.plotting import style
from lrx.core.text import with_error
from lrx.core.types import Array, AssayResult
from lrx.report import pictures, small_matrix
from lrx.report.pictures import Picture
from lrx.report.run_page import description_of
from lrx.report.sweep_runs import MATRICES, Key, SweepRun
from lrx.runs.over_seeds import Estimate, Model
from lrx.runs.seed_groups import SeedGroup, seed_groups


@dataclass(frozen=True)
class Cell:
    """Score of a group as text, and the value to sort by."""

    text: str
    value: float | None


@dataclass(frozen=True)
class SeedsView:
    """Group of seeds as the page shows it: label, facts on its models, scores as text, and pictures of matrices."""

    label: str
    facts: str
    scores: list[Cell]
    pictures: list[Picture]


def seed_views(rows: Sequence[SweepRun], main: Sequence[Key]) -> tuple[list[SeedsView], list[str]]:
    """Return what the page shows of groups of seeds, with their main scores, and a line for what cannot be drawn."""
    models = [Model(row.name, row.config.get("seed"), row.assays) for row in rows]
    faults: list[str] = []
    views = [
        SeedsView(group.label, _facts(group), _scores(group, main), _matrices(group, rows, faults))
        for group in seed_groups(models, [{**row.config, **row.measuring} for row in rows])
    ]
    return views, faults


def _facts(group: SeedGroup) -> str:
    """Write which runs a group has, and how their latents are aligned."""
    summary = group.summary
    text = f"{len(summary.runs)} seeds ({', '.join(summary.runs)})"
    if summary.repeated:
        text += f"; left out, of the same seeds: {', '.join(summary.repeated)}"
    if not summary.reference:
        return f"{text}; latents are {summary.alignment}."
    aligned = f"aligned by {summary.alignment}, with a mean agreement of {summary.agreement:.3g}"
    return f"{text}; latents are numbered as in {summary.reference}, {aligned}."


def _scores(group: SeedGroup, main: Sequence[Key]) -> list[Cell]:
    """Return the main scores of a group, a dash where it lacks the score; `*`: models have a remark."""
    cells = []
    for key in main:
        estimate = group.summary.scores.get(key)
        star = " *" if key[0] in group.summary.remarks else ""
        mean = math.nan if estimate is None else float(estimate.mean)
        text = "–" if estimate is None else _text(estimate) + star
        cells.append(Cell(text, mean if math.isfinite(mean) else None))
    return cells


def _text(estimate: Estimate) -> str:
    """Write a mean with its between-seed error, and in brackets the one within models."""
    within = float(estimate.se_within)
    text = with_error(float(estimate.mean), float(estimate.se_between))
    return text if math.isnan(within) else f"{text} ({within:.2g})"


def _matrices(group: SeedGroup, rows: Sequence[SweepRun], faults: list[str]) -> list[Picture]:
    """Draw the mean of each matrix and its between-seed error, in the colours of its runs."""
    drawn = []
    settings = {
        name: part.settings for row in rows if row.name in group.summary.runs for name, part in row.assays.items()
    }
    for name in MATRICES:
        array, estimate = group.summary.arrays.get((name, "matrix"), (None, None))
        if array is None or estimate is None:
            continue
        title = description_of(name).title
        for values, what in ((estimate.mean, "mean over seeds"), (estimate.se_between, "standard error between seeds")):
            shown = AssayResult({"matrix": Array(values, array.axes)}, group.summary.labels[name], {}, settings[name])
            try:
                with style.plot_style():
                    caption = f"{title}, {what}"
                    figure = small_matrix.figure(shown)
                    drawn.append(pictures.as_picture(figure, f"{caption}, of {group.label}.", caption=caption))
            except Exception as error:  # drawing raises anything, for arrays that a file may hold
                faults.append(f"{group.label}: the mean {name} cannot be drawn ({pictures.reason(error)})")
    return drawn
