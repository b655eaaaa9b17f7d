"""Comparison of two runs: what differs in their configs and scores, with errors, and matrices on the same scale.

The error of a difference is sqrt(e_a^2 + e_b^2): results of two runs are from draws of their own. It is an error of
measuring; another seed of the same config may differ by more.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from lrx.assays import catalog, summary
from lrx.assays.plotting import style
from lrx.core import rounding
from lrx.core.text import humanize, join_names
from lrx.core.types import AssayResult
from lrx.report import compare_matrices, pictures, training_curves
from lrx.report.pictures import Picture
from lrx.report.run_contents import Contents
from lrx.report.run_page import description_of, is_error
from lrx.report.run_summary import sentence, summarize
from lrx.runs.grouping import INPUTS, current_config, differing_keys, short_key, value_text
from lrx.runs.run_folder import is_free

CLEAR = summary.CLEAR
MOST_NAMES = 12
EQUAL = ("0", "not defined")  # differences of scores whose texts are the same


@dataclass(frozen=True)
class Difference:
    """Score in two runs, their difference, and its size in standard errors (NaN: without an error)."""

    name: str
    meaning: str
    first: str
    second: str
    step: str
    size: float


@dataclass(frozen=True)
class Part:
    """Assay that both runs have: their answers, scores, matrices, and what these say."""

    anchor: str
    title: str
    question: str
    answers: tuple[str, str]
    scores: list[Difference]
    matrices: list[Picture]
    notes: list[str]
    remarks: list[str]
    pictures: list[Picture]


class ComparisonView(TypedDict):
    """Values of the template `compare.html`."""

    title: str
    names: tuple[str, str]
    summaries: tuple[str, str]
    findings: list[str]
    configs: list[tuple[str, str, str]]
    curves: Picture | None
    parts: list[Part]
    alone: list[str]
    faults: list[str]


def view(first: Contents, second: Contents) -> ComparisonView:
    """Return what the page shows of two runs; what cannot be read or drawn is a line in `faults`."""
    names = _names(first, second)
    results = _newest(first), _newest(second)
    both = [name for name in _ordered(results[0]) if name in results[1]]
    provenances = [[stored.provenance for stored in contents.results.values()] for contents in (first, second)]
    order = compare_matrices.align(provenances[0], provenances[1], results[0], results[1])
    parts, faults = [], [*first.faults, *second.faults]
    for name in both:
        part, undrawn = _part(name, (results[0][name], results[1][name]), names, order)
        drawn, undrawn_pictures = _pictures(name, (first, second), names)
        parts.append(replace(part, pictures=drawn))
        faults += undrawn + undrawn_pictures
    curves, undrawn = _curves(first, second, names)
    alone = [
        f"{own} alone has {join_names([humanize(name) for name in _ordered(some) if name not in both], MOST_NAMES)}."
        for own, some in zip(names, results, strict=True)
        if set(some) - set(both)
    ]
    return {
        "title": f"{names[0]} and {names[1]}",
        "names": names,
        "summaries": (sentence(summarize(first)), sentence(summarize(second))),
        "findings": _findings(parts, names, both),
        "configs": _configs(first, second),
        "curves": curves,
        "parts": parts,
        "alone": alone,
        "faults": faults + undrawn,
    }


def _names(first: Contents, second: Contents) -> tuple[str, str]:
    """Return the names of the folders, with those above while they are the same."""
    parts = [contents.run.folder.resolve().parts for contents in (first, second)]
    depth = next((depth for depth in range(1, 20) if parts[0][-depth:] != parts[1][-depth:]), 1)
    return "/".join(parts[0][-depth:]), "/".join(parts[1][-depth:])


def _newest(contents: Contents) -> dict[str, AssayResult]:
    return {name: result for stored in contents.results.values() for name, result in stored.assays.items()}


def _ordered(names: Mapping[str, AssayResult]) -> list[str]:
    return [name for name in catalog.descriptions() if name in names] + sorted({*names} - {*catalog.descriptions()})


def _configs(first: Contents, second: Contents) -> list[tuple[str, str, str]]:
    """Return the keys that differ, of trainings and of the newest measurements, with both values."""
    rows = []
    for before, stored in (("", (first.config, second.config)), ("assay.", (first.measuring, second.measuring))):
        kinds = [current_config(config, {}) for config in stored]
        for key in sorted(differing_keys(kinds)):
            named = key if key.startswith(before) else before + key
            if not is_free(key.removeprefix("assay.")) and named not in INPUTS:
                rows.append((short_key(named), value_text(kinds[0], key), value_text(kinds[1], key)))
    return rows


def _differences(name: str, pair: tuple[AssayResult, AssayResult]) -> list[Difference]:
    description, (first, second) = description_of(name), pair
    shared = [key for key in first.scores if key in second.scores and not is_error(key, first)]
    made = []
    for key in sorted(shared, key=description.score_order):
        values, errors = [r.scores[key] for r in pair], [r.scores.get(f"{key}_se", math.nan) for r in pair]
        step, error = values[1] - values[0], math.hypot(*errors)
        size = (
            step / error if error > 0 else math.nan if math.isnan(error) or not step else math.copysign(math.inf, step)
        )
        before, after = (rounding.estimate(value, of) for value, of in zip(values, errors, strict=True))
        change = rounding.estimate(step, error)
        made.append(Difference(humanize(key), description.meaning(key), before, after, change, size))
    return made


def _part(
    name: str, pair: tuple[AssayResult, AssayResult], names: tuple[str, str], order: compare_matrices.Order
) -> tuple[Part, list[str]]:
    matrices, notes, faults = compare_matrices.draw(name, pair, names, order)
    own = [str(result.settings.get("remark") or "") for result in pair]
    answers = tuple(summary.summarize(name, result).sentence for result in pair)
    part = Part(
        anchor=f"assay-{name}",
        title=description_of(name).title or humanize(name),
        question=description_of(name).question,
        answers=(answers[0], answers[1]),
        scores=_differences(name, pair),
        matrices=matrices,
        notes=notes,
        remarks=[f"{run}: {remark}" for run, remark in zip(names, own, strict=True) if remark],
        pictures=[],
    )
    return part, faults


def _pictures(name: str, both: tuple[Contents, Contents], names: tuple[str, str]) -> tuple[list[Picture], list[str]]:
    """Return the pictures of an assay in both runs, in pairs, and a line for each that cannot be drawn."""
    drawn, faults = [], []
    for contents, run in zip(both, names, strict=True):
        file, stored = [(file, stored) for file, stored in contents.results.items() if name in stored.assays][-1]
        try:
            made, missing = pictures.assay_pictures(name, stored.assays[name], stored.provenance_of[name], file)
        except ValueError as error:
            made, missing = [], [str(error)]
        drawn.append([replace(picture, caption=run) for picture in made])
        faults += missing
    return [picture for pair in itertools.zip_longest(*drawn) for picture in pair if picture is not None], faults


def _findings(parts: Sequence[Part], names: tuple[str, str], both: Sequence[str]) -> list[str]:
    """Say which main scores differ clearly, the clearest first, which do not, and which have no error."""
    main = [
        score
        for name, part in zip(both, parts, strict=True)
        for score in part.scores
        if score.name in [humanize(key) for key in description_of(name).main_scores]
    ]
    clear = sorted((score for score in main if abs(score.size) > CLEAR), key=lambda score: -abs(score.size))
    said = [
        f"{score.name} is {'higher' if score.size > 0 else 'lower'} in {names[1]}: {score.second} against "
        f"{score.first}, a difference of {score.step}."
        for score in clear
    ]
    if alike := [score.name for score in main if abs(score.size) <= CLEAR]:
        said.append(f"No difference above {CLEAR:g} standard errors: {join_names(alike, MOST_NAMES)}.")
    without = [score for score in main if math.isnan(score.size)]
    if same := [f"{s.name} {s.first}" for s in without if s.first == s.second and s.step in EQUAL]:
        said.append(f"The same in both: {join_names(same, MOST_NAMES)}.")
    if unknown := [
        f"{s.name} {s.first} and {s.second}" + (f", {s.step} apart" if s.first == s.second else "")
        for s in without
        if s.first != s.second or s.step not in EQUAL
    ]:
        said.append(f"Without an error of the difference: {join_names(unknown, MOST_NAMES)}.")
    return said


def _curves(first: Contents, second: Contents, names: tuple[str, str]) -> tuple[Picture | None, list[str]]:
    """Return the training curves of both in the same panels, and a line where they cannot be drawn."""
    if not first.curves or not second.curves or first.run.trained == second.run.trained:
        return None, []
    try:
        with style.plot_style():
            alt = f"Training curves of {names[0]} and {names[1]}."
            figure = training_curves.figure(first.curves, second.curves)
            caption = f"Red, solid: {names[0]}; blue, dashed: {names[1]}."
            return pictures.as_picture(figure, alt, caption=caption), []
    except Exception as error:  # drawing raises anything, for numbers that a log may hold
        return None, [f"training curves cannot be drawn ({pictures.reason(error)})"]
