"""Part of a sweep's page on models that differ in their seed alone: means of scores and matrices with both errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lrx.core.text import join_names, with_error
from lrx.report.pictures import Picture
from lrx.report.sweep_matrices import mean_matrices
from lrx.report.sweep_runs import Key, SweepRun
from lrx.runs.over_seeds import Estimate
from lrx.runs.seed_groups import SeedGroup, groups_of_rows
from lrx.runs.table import TRAINED, Row

MOST_DRAWN = 24  # groups of seeds whose matrices are drawn
MOST_NAMES = 10  # runs of a group that are named


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
    """Return what the page shows of groups of seeds, with their main scores, and a line for what cannot be drawn.

    Of more than MOST_DRAWN groups only the first ones have pictures.
    """
    views, faults = [], []
    for place, group in enumerate(groups_of_rows([_as_row(row) for row in rows])):
        drawn, undrawn = mean_matrices(group, rows) if place < MOST_DRAWN else ([], [])
        views.append(SeedsView(group.label, _facts(group), _scores(group, main), drawn))
        faults += undrawn
    return views, faults


def _as_row(row: SweepRun) -> Row:
    """Return a run as a row of a table, for its group of seeds."""
    scores = {name: assay.scores for name, assay in row.assays.items()}
    losses = {name: value for (group, name), value in row.scores.items() if group == TRAINED}
    scores |= {TRAINED: losses} if losses else {}
    return Row(
        row.name,
        row.state,
        error="",
        command="",
        training={**row.config},
        measuring={key: str(value) for key, value in row.measuring.items()},
        scores=scores,
        assays={**row.assays},
    )


def _facts(group: SeedGroup) -> str:
    """Write which runs a group has, and how their latents are aligned."""
    summary = group.summary
    text = f"{len(summary.runs)} seeds ({join_names(summary.runs, MOST_NAMES)})"
    if summary.repeated:
        text += f"; left out, of the same seeds: {join_names(summary.repeated, MOST_NAMES)}"
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
