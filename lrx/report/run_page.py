"""Report of one run: the model, its training curves, and each assay with its pictures and scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from lrx.assays import catalog, summary
from lrx.assays.description import Description
from lrx.assays.plotting import style
from lrx.core.text import format_value, humanize, with_error
from lrx.core.types import Array, AssayResult
from lrx.report import commands, pictures, training_curves
from lrx.report.findings import Findings, findings
from lrx.report.pictures import Picture
from lrx.report.run_contents import Contents
from lrx.report.run_summary import sentence, summarize
from lrx.storage import results

LONG = ("config", "checkpoint_config")  # provenance of many lines

FOREIGN = Description(title="", question="")


@dataclass(frozen=True)
class Score:
    """Score as text, and its meaning."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Section:
    """Assay of a file, as the page shows it."""

    anchor: str
    title: str
    question: str
    answer: str
    file: str
    remark: str
    faults: list[str]
    pictures: list[Picture]
    scores: list[Score]
    settings: list[tuple[str, str]]
    arrays: list[tuple[str, str, str, str]]


class RunView(TypedDict):
    """Values of the template `run.html`."""

    title: str
    summary: str
    findings: Findings
    links: dict[str, tuple[str, str]]
    facts: dict[str, str]
    curves: Picture | None
    sections: list[Section]
    faults: list[str]
    commands: list[str]
    provenance: list[tuple[str, list[tuple[str, str]]]]
    configs: list[tuple[str, str]]


def view(contents: Contents) -> RunView:
    """Return what the page shows of a run; what cannot be drawn is a line in `faults`."""
    names = _ordered_assays(contents)
    sections = [
        _section(file, name, stored, contents)
        for name in names
        for file, stored in contents.results.items()
        if name in stored.assays
    ]
    curves, undrawn = _curves(contents)
    facts = summarize(contents)
    return {
        "title": _title(contents),
        "summary": sentence(facts),
        "findings": findings({name: _newest(name, contents)[1] for name in names}, contents.curves),
        "links": {name: (_anchor(_newest(name, contents)[0], name, contents), _heading(name)) for name in names},
        "facts": facts,
        "curves": curves,
        "sections": sections,
        "faults": [*contents.faults, *undrawn, *(fault for section in sections for fault in section.faults)],
        "commands": commands.shell_lines(commands.commands_of_run(contents.run, started=True)),
        "provenance": [(_short(file, contents), _provenance(stored)) for file, stored in contents.results.items()],
        "configs": [
            (f"{humanize(key)} of {_short(file, contents)}", str(stored.provenance[key]))
            for file, stored in contents.results.items()
            for key in LONG
            if key in stored.provenance
        ],
    }


def description_of(assay: str) -> Description:
    """Return the description of an assay; an empty one for an assay that this version does not have."""
    return catalog.describe(assay) or FOREIGN


def is_error(score: str, result: AssayResult) -> bool:
    """Return whether a score is the standard error of another one."""
    return score.endswith("_se") and score.removesuffix("_se") in result.scores


def _title(contents: Contents) -> str:
    """Return the name of the run; of an assay, also that of the model which it measured."""
    name, trained = contents.run.folder.name, contents.run.trained
    return name if trained in (None, contents.run.folder) else f"{name}, measured on {trained.name}"


def _short(file: Path, contents: Contents) -> str:
    """Return a file as seen from the run's folder, or with the name of its own folder."""
    folder = contents.run.folder
    return str(file.relative_to(folder)) if folder in file.parents else f"{file.parent.name}/{file.name}"


def _scores(description: Description, result: AssayResult) -> list[Score]:
    """Return every score with its error and its meaning, in the order of the description."""
    return [
        Score(humanize(key), with_error(result.scores[key], result.scores.get(f"{key}_se")), description.meaning(key))
        for key in sorted(result.scores, key=description.score_order)
        if not is_error(key, result)
    ]


def _ordered_assays(contents: Contents) -> list[str]:
    """Return the assays of a run in the order of the catalog, then foreign ones."""
    names = {name for stored in contents.results.values() for name in stored.assays}
    return [name for name in catalog.descriptions() if name in names] + sorted(names - set(catalog.descriptions()))


def _newest(name: str, contents: Contents) -> tuple[Path, AssayResult]:
    """Return the newest result of an assay, and its file."""
    return [(file, stored.assays[name]) for file, stored in contents.results.items() if name in stored.assays][-1]


def _anchor(file: Path, name: str, contents: Contents) -> str:
    return f"assay-{list(contents.results).index(file)}-{name}"


def _heading(name: str) -> str:
    return description_of(name).title or humanize(name)


def _section(file: Path, name: str, stored: results.Results, contents: Contents) -> Section:
    result, several = stored.assays[name], sum(name in other.assays for other in contents.results.values()) > 1
    description = description_of(name)
    drawn: list[Picture] = []
    try:
        drawn, faults = pictures.assay_pictures(name, result, stored.provenance_of[name], file)
    except ValueError as error:
        faults = [str(error)]
    return Section(
        anchor=_anchor(file, name, contents),
        title=_heading(name),
        question=description.question,
        answer=summary.summarize(name, result).sentence,
        file=_short(file, contents) if several else "",
        remark=str(result.settings.get("remark") or ""),
        faults=faults,
        pictures=drawn,
        scores=_scores(description, result),
        settings=[(humanize(key), format_value(value)) for key, value in result.settings.items() if key != "remark"],
        arrays=[_array(key, array) for key, array in result.arrays.items()],
    )


def _array(name: str, array: Array) -> tuple[str, str, str, str]:
    """Return name, axes with their sizes, unit and description."""
    axes = " × ".join(f"{axis} {size}" for axis, size in zip(array.axes, array.values.shape, strict=True))
    return humanize(name), axes, "" if array.unit == "1" else array.unit, array.description


def _provenance(stored: results.Results) -> list[tuple[str, str]]:
    return [(humanize(key), str(value)) for key, value in stored.provenance.items() if key not in LONG]


def _curves(contents: Contents) -> tuple[Picture | None, list[str]]:
    """Return the training curves, and a line where they cannot be drawn."""
    if not contents.curves:
        return None, []
    names = ", ".join(humanize(key) for key in contents.curves[-1] if key != "step")
    try:
        with style.plot_style():
            alt = f"Training curves of {contents.run.folder.name}: {names}."
            figure = training_curves.figure(contents.curves)
            return pictures.as_picture(figure, alt, caption=training_curves.CAPTION), []
    except Exception as error:  # drawing raises anything, for numbers that a log may hold
        return None, [f"{contents.run.trained}: its training curves cannot be drawn ({pictures.reason(error)})"]
