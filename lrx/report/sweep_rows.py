"""The runs of a sweep, a row each: what is kept of a run's results, and the settings in which runs differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lrx.assays.plotting import style
from lrx.report import commands, measured_runs, pictures, small_matrix
from lrx.report.meanings import ASSAYS, is_error
from lrx.report.measured_runs import Place, Run
from lrx.report.pictures import Picture
from lrx.report.run_summary import facts
from lrx.runs import run_folder

MATRICES = ("response_matrix", "conditioned_response")
MEASURED = ("seed", "split")  # keys that an assay's config has for itself
SEEDS = ("seed", "assay.seed")
Key = tuple[str, str]  # of a score: the assay and the name


@dataclass(frozen=True)
class Row:
    """A run of a sweep, in short: what it is, and what was measured, with errors."""

    name: str
    state: str
    config: Mapping[str, str]
    scores: Mapping[Key, float]
    errors: Mapping[Key, float]
    matrices: Mapping[str, Picture]
    data: str
    commands: list[commands.Said]


def read_row(path: Path, place: Place) -> tuple[Row, list[str]]:
    """What a sweep's page keeps of a run, named from the sweep's path, and a line for each of its faults."""
    run = measured_runs.read(place)
    scores: dict[Key, float] = {}
    errors: dict[Key, float] = {}
    matrices: dict[str, Picture] = {}
    faults = list(run.faults)
    relative = place.path.relative_to(path.resolve())
    for stored in run.results.values():  # the newest file last, which counts
        for name, result in stored.assays.items():
            for key, value in result.scores.items():
                if not is_error(key, result):
                    scores[name, key] = value
                    errors[name, key] = result.scores.get(f"{key}_se", math.nan)
            if name in MATRICES and "matrix" in result.arrays:
                alt = f"{ASSAYS[name].pictures[name]} {relative}."
                try:
                    with style.plot_style():
                        matrices[name] = pictures.picture(small_matrix.figure(result), alt)
                except Exception as error:  # whatever drawing makes of arrays that a file may hold
                    faults.append(f"{relative}: its {name} cannot be drawn ({pictures.reason(error)})")
    state = run.status.state if run.status else "unknown"
    if run.status and run.status.error:
        faults.append(f"{relative}: {run.status.error}")
    data, said = facts(run).get("data", ""), commands.of_run(run, started=False)
    return Row(str(relative), state, _config(run), scores, errors, matrices, data, said), faults


def varying(rows: Sequence[Row]) -> list[str]:
    """The keys of configs that have several values among the runs which have them; not those that name places."""
    values: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.config.items():
            values.setdefault(key, set()).add(value)
    free = {key for key in values if key in run_folder.FREE or key.split(".")[0] in run_folder.FREE}
    return [key for key, several in values.items() if len(several) > 1 and key not in free]


def telling(rows: Sequence[Row], keys: Sequence[str]) -> list[str]:
    """The keys that tell the groups of runs apart: each splits what those before it leave together, models first."""
    kept: list[str] = []
    for key in sorted(keys, key=lambda key: not key.endswith("_target_")):
        groups, finer = ({tuple(row.config.get(one) for one in some) for row in rows} for some in (kept, [*kept, key]))
        if len(finer) > len(groups):
            kept.append(key)
    return kept


def grouped(config: Mapping[str, str], keys: Sequence[str]) -> str:
    """The name of a group of runs: the values in which it differs from others.

    >>> grouped({"model._target_": "lrx.models.vae.VAE", "model.beta": "4.0", "seed": "0"}, ["model._target_", "beta"])
    'VAE'
    """
    said = [
        value_of(config, key) if key.endswith("_target_") else f"{head(key).rpartition('.')[2]} {config[key]}"
        for key in keys
        if key in config
    ]
    return ", ".join(said) or "all runs"


def head(key: str) -> str:
    """The name of a key: `model._target_` is the model."""
    return key.removesuffix("._target_")


def value_of(config: Mapping[str, str], key: str) -> str:
    """The value of a key as text, a dash for none; of what is built, its name without its module."""
    value = config.get(key, "–")
    return value.rpartition(".")[2] if key.endswith("_target_") else value


def _config(run: Run) -> Mapping[str, str]:
    """The config of the training, and for an assay's folder how it was measured: `assay.num_samples`, `assay.seed`."""
    if run.place.trained == run.place.path:
        return run.config
    own = {f"assay.{key}" if key in MEASURED else key: value for key, value in run.measuring.items()}
    return {**run.config, **{key: value for key, value in own.items() if key.startswith("assay.")}}
