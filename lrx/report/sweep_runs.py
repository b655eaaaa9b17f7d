"""Runs of a sweep: what its page keeps of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from lrx.assays.plotting import style
from lrx.core.types import AssayResult
from lrx.report import commands, pictures, run_contents, small_matrix
from lrx.report.pictures import Picture
from lrx.report.run_contents import Contents
from lrx.report.run_page import description_of, is_error
from lrx.report.run_summary import summarize
from lrx.runs.catalog import Run
from lrx.runs.grouping import current_config
from lrx.runs.over_seeds import averaged_part
from lrx.runs.seed_groups import IDENTITY

MATRICES = ("response_matrix", "conditioned_response")
MEASURED = ("seed", "split")  # keys that the config of an assay has at its top
Key = tuple[str, str]  # of a score: the assay and the name


@dataclass(frozen=True)
class SweepRun:
    """Run of a sweep: its settings, its scores with their errors (NaN: none), and the remarks of its assays by name.

    assays: what is averaged over seeds; measuring: what runs have in common beside the config for that to make sense.
    """

    name: str
    state: str
    config: Mapping[str, str]
    scores: Mapping[Key, float]
    errors: Mapping[Key, float]
    matrices: Mapping[str, Picture]
    data: str
    commands: list[commands.Command]
    remarks: Mapping[str, str] = field(default_factory=dict)
    assays: Mapping[str, AssayResult] = field(default_factory=dict)
    measuring: Mapping[str, object] = field(default_factory=dict)


def read_run(run: Run) -> tuple[SweepRun, list[str]]:
    """Return what a sweep's page keeps of a run, and a line for each of its faults."""
    contents = run_contents.read(run)
    scores: dict[Key, float] = {}
    errors: dict[Key, float] = {}
    matrices: dict[str, Picture] = {}
    remarks: dict[str, str] = {}
    assays: dict[str, AssayResult] = {}
    faults = list(contents.faults)
    for stored in contents.results.values():  # the newest file last, whose scores are shown
        for name, result in stored.assays.items():
            remarks[name] = str(result.settings.get("remark") or "")
            assays[name] = averaged_part(name, result)
            for key, value in result.scores.items():
                if not is_error(key, result):
                    scores[name, key] = value
                    errors[name, key] = result.scores.get(f"{key}_se", math.nan)
            if name in MATRICES and "matrix" in result.arrays:
                try:
                    with style.plot_style():
                        alt = f"{description_of(name).pictures[name].alt} {run.name}."
                        matrices[name] = pictures.as_picture(small_matrix.figure(result), alt)
                except Exception as error:  # drawing raises anything, for arrays that a file may hold
                    faults.append(f"{run.name}: its {name} cannot be drawn ({pictures.reason(error)})")
    if run.status.error:
        faults.append(f"{run.name}: {run.status.error}")
    data, typed = summarize(contents).get("data", ""), commands.commands_of_run(run, started=False)
    return SweepRun(
        run.name,
        run.status.state,
        _config(contents),
        scores,
        errors,
        matrices,
        data,
        typed,
        {name: remark for name, remark in remarks.items() if remark},
        assays,
        _measuring(contents),
    ), faults


def _measuring(contents: Contents) -> dict[str, object]:
    """Return the data and steps of the newest result, and the config that it was measured by."""
    if not contents.results:
        return {}
    last = list(contents.results.values())[-1].provenance
    config = current_config(contents.measuring, {})
    own = {key if key.startswith("assay.") else f"assay.{key}": value for key, value in config.items()}
    return {**own, **{key: last[key] for key in IDENTITY if key in last}}


def _config(contents: Contents) -> Mapping[str, str]:
    """Return the config of the training, and for an assay's folder its own: `assay.num_samples`, `assay.seed`."""
    last = list(contents.results.values())[-1].provenance if contents.results else {}
    config = current_config(contents.config, {key: str(value) for key, value in last.items()})
    if contents.run.trained == contents.run.folder:
        return config
    own = {f"assay.{key}" if key in MEASURED else key: value for key, value in contents.measuring.items()}
    return {**config, **{key: value for key, value in own.items() if key.startswith("assay.")}}
