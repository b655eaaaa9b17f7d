"""Groups of runs that differ in their seed alone, with their summaries over seeds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lrx.core.types import Array, AssayResult
from lrx.runs.grouping import SEEDS, Config, distinguishing_keys, group_label, varying_keys, without_seed
from lrx.runs.over_seeds import Model, OverSeeds, summarize
from lrx.runs.table import TRAINED, Row
from lrx.storage.result_scan import ArrayInfo, ScannedAssay, array_infos

IDENTITY = ("dataset_fingerprint", "trained_steps")  # provenance that the models of a group have in common


@dataclass(frozen=True)
class SeedGroup:
    """Models that differ in their seed alone: the config of the first, a label among the groups, and their summary."""

    label: str
    config: Config
    summary: OverSeeds


def groups_of_rows(rows: Sequence[Row]) -> list[SeedGroup]:
    """Group the rows of a table by their configs without the seed, and summarise each group.

    Rows of which the training is not known, or nothing is measured, and groups of one seed, are left out.
    """
    by_config: dict[object, list[tuple[Row, Config]]] = defaultdict(list)
    for row in rows:
        if row.training:
            identity = {key: row.provenance[key] for key in IDENTITY if key in row.provenance}
            config = {**row.training, **row.measuring, **identity}
            by_config[without_seed(config)].append((row, config))
    several: list[tuple[Config, OverSeeds]] = []
    known: dict[object, dict[str, ArrayInfo]] = {}
    for members in by_config.values():
        models = _models([row for row, _ in members], known) if len(members) > 1 else []
        measured = [(model, config) for model, (_, config) in zip(models, members, strict=False) if model.assays]
        summary = summarize([model for model, _ in measured])
        several += [(measured[0][1], summary)] if summary is not None else []
    every = [config for config, _ in several]
    keys = distinguishing_keys(every, [key for key in varying_keys(every) if key not in SEEDS])
    groups = [SeedGroup(group_label(config, keys), config, summary) for config, summary in several]
    counts = Counter(group.label for group in groups)
    return [
        group if counts[group.label] == 1 else replace(group, label=f"{group.label} ({group.summary.runs[0]})")
        for group in groups
    ]


def _models(rows: Sequence[Row], known: dict[object, dict[str, ArrayInfo]]) -> list[Model]:
    """Return the rows of a group as models.

    What arrays are is read from the first file that has the assay, unless arrays of these names and shapes are known.
    """
    first: dict[str, ScannedAssay] = {}
    for row in rows:
        first = {**row.assays, **first}
    infos: dict[str, dict[str, ArrayInfo]] = {}
    for name, part in first.items():
        form = name, *((member, values.shape) for member, values in part.members.items())
        if form not in known:
            try:
                known[form] = array_infos(part.path, name, list(part.members))
            except ValueError:  # a file whose scores alone can be read
                known[form] = {}
        infos[name] = known[form]
    models = []
    for row in rows:
        assays = {name: _result(part, infos[name]) for name, part in row.assays.items()}
        others = {name: AssayResult({}, {}, scores) for name, scores in row.scores.items() if name not in assays}
        if row.state != "done":
            others.pop(TRAINED, None)  # losses of a step before the last
        models.append(Model(row.run, row.training.get("seed"), {**others, **assays}))
    return models


def _result(part: ScannedAssay, infos: Mapping[str, ArrayInfo]) -> AssayResult:
    arrays = {
        name: Array(part.members[name], info.axes, info.unit, info.text)
        for name, info in infos.items()
        if name in part.members and part.members[name].ndim == len(info.axes)
    }
    labels = {axis: part.members[axis] for array in arrays.values() for axis in array.axes if axis in part.members}
    return AssayResult(arrays, labels, part.scores, {"remark": part.remark})
