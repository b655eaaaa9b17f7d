"""What the report of one run shows: what was trained on what, its curves, and each assay with pictures and scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from lrx.assays.plotting import style
from lrx.core.text import format_value, humanize, with_error
from lrx.core.types import Array, AssayResult
from lrx.report import commands, pictures, training_curves
from lrx.report.captions import CAPTIONS
from lrx.report.meanings import ASSAYS, is_error, of_score, place_of
from lrx.report.measured_runs import Run
from lrx.report.pictures import Picture
from lrx.report.run_summary import facts, summary
from lrx.storage import results

LONG = ("config", "checkpoint_config")  # provenance that is a text of many lines


@dataclass(frozen=True)
class Score:
    """A score as text, and what it means."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Section:
    """An assay of a file: all that the page says of it."""

    anchor: str
    title: str
    asks: str
    file: str
    remark: str
    fault: str
    pictures: list[Picture]
    scores: list[Score]
    settings: list[tuple[str, str]]
    arrays: list[tuple[str, str, str, str]]


class View(TypedDict):
    """What the template `run.html` takes."""

    title: str
    summary: str
    facts: dict[str, str]
    curves: Picture | None
    sections: list[Section]
    faults: list[str]
    commands: list[str]
    provenance: list[tuple[str, list[tuple[str, str]]]]
    configs: list[tuple[str, str]]


def view(run: Run) -> View:
    """What the page shows of a run. Faults are lines, not errors."""
    sections = [
        _section(file, name, stored, run)
        for name in _in_order(run)
        for file, stored in run.results.items()
        if name in stored.assays
    ]
    curves, undrawn = _curves(run)
    return {
        "title": _title(run),
        "summary": summary(run),
        "facts": facts(run),
        "curves": curves,
        "sections": sections,
        "faults": [*run.faults, *undrawn, *(section.fault for section in sections if section.fault)],
        "commands": commands.typed(commands.of_run(run, started=True)),
        "provenance": [(_short(file, run), _provenance(stored)) for file, stored in run.results.items()],
        "configs": [
            (f"{humanize(key)} of {_short(file, run)}", str(stored.provenance[key]))
            for file, stored in run.results.items()
            for key in LONG
            if key in stored.provenance
        ],
    }


def _title(run: Run) -> str:
    """The run's name; of a measurement, also the name of what it was made on."""
    own = run.place.path if run.place.path.is_dir() else run.place.path.parent
    return run.name if run.place.trained in (None, own) else f"{run.name}, measured on {run.place.trained.name}"


def _short(file: Path, run: Run) -> str:
    """A file as seen from the run's folder, or by the folder that it lies in."""
    folder = run.place.path if run.place.path.is_dir() else run.place.path.parent
    return str(file.relative_to(folder)) if folder in file.parents else f"{file.parent.name}/{file.name}"


def _scores(name: str, result: AssayResult) -> list[Score]:
    """Every score with its error and its meaning, in the order of the meanings."""
    return [
        Score(humanize(key), with_error(result.scores[key], result.scores.get(f"{key}_se")), of_score(name, key))
        for key in sorted(result.scores, key=lambda key: place_of(name, key))
        if not is_error(key, result)
    ]


def _in_order(run: Run) -> list[str]:
    """The assays of a run in the order of ASSAYS, then those that it does not know."""
    there = {name for stored in run.results.values() for name in stored.assays}
    return [name for name in ASSAYS if name in there] + sorted(there - set(ASSAYS))


def _section(file: Path, name: str, stored: results.Results, run: Run) -> Section:
    result, several = stored.assays[name], sum(name in other.assays for other in run.results.values()) > 1
    meaning, fault, drawn = ASSAYS.get(name), "", []
    try:
        drawn = pictures.of_assay(name, result, stored.provenance_of[name], file)
    except ValueError as error:
        fault = str(error)
    return Section(
        anchor=f"assay-{list(run.results).index(file)}-{name}",
        title=meaning.title if meaning else humanize(name),
        asks=meaning.asks if meaning else "",
        file=_short(file, run) if several else "",
        remark=str(result.settings.get("remark") or ""),
        fault=fault,
        pictures=drawn,
        scores=_scores(name, result),
        settings=[(humanize(key), format_value(value)) for key, value in result.settings.items() if key != "remark"],
        arrays=[_array(key, array) for key, array in result.arrays.items()],
    )


def _array(name: str, array: Array) -> tuple[str, str, str, str]:
    """Its name, axes with their sizes, unit and description."""
    axes = " × ".join(f"{axis} {size}" for axis, size in zip(array.axes, array.values.shape, strict=True))
    return humanize(name), axes, "" if array.unit == "1" else array.unit, array.description


def _provenance(stored: results.Results) -> list[tuple[str, str]]:
    return [(humanize(key), str(value)) for key, value in stored.provenance.items() if key not in LONG]


def _curves(run: Run) -> tuple[Picture | None, list[str]]:
    """The training curves, and why there are none where they cannot be drawn."""
    if not run.rows:
        return None, []
    names = ", ".join(humanize(key) for key in run.rows[-1] if key != "step")
    try:
        with style.plot_style():
            shown = f"Training curves of {run.name}: {names}."
            drawn = training_curves.figure(run.rows)
            return pictures.picture(drawn, shown, caption=CAPTIONS["training_curves"]), []
    except Exception as error:  # whatever drawing makes of numbers that a log may hold
        return None, [f"{run.place.trained}: its training curves cannot be drawn ({pictures.reason(error)})"]
