"""Table of scores for a paper: a row for each group of runs that differ in their seed alone, a column for each score.

A cell has the mean over seeds, its standard error from the spread over seeds, and the one within models, from the draws
of the assays (`lrx.runs.over_seeds`). The best of a column is marked where its difference from the next is larger than
the standard error of that difference, sqrt(e_1^2 + e_2^2), e the errors over seeds. Where no group has two seeds, e is
within models. A group of one seed among others with more has no e: where it is best or next, none is marked.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lrx.assays import catalog
from lrx.core.text import humanize, join_names
from lrx.core.validation import SettingError
from lrx.metrics import catalog as metrics
from lrx.runs.grouping import SEEDS, Config, distinguishing_keys, group_label, varying_keys
from lrx.runs.over_seeds import Estimate, Key
from lrx.runs.over_seeds import estimate as over_seeds
from lrx.runs.seed_groups import SeedGroup
from lrx.runs.table import TRAINED, Row

LOSS = (TRAINED, "loss")
ACRONYM = 3  # letters of a name up to which it is written in capitals: cds, mig, kl


@dataclass(frozen=True)
class Line:
    """Row of the table: label, number of seeds, whether models of it have a remark, and its estimates by score."""

    label: str
    seeds: int
    remarked: bool
    cells: Mapping[Key, Estimate]


@dataclass(frozen=True)
class ScoreTable:
    """Table of scores: labels of columns and their directions (1: higher is better) by score, rows, and by score the
    place of the row that is best."""

    columns: Mapping[Key, str]
    directions: Mapping[Key, int]
    lines: list[Line]
    best: Mapping[Key, int]

    @property
    def has_seeds(self) -> bool:
        """True where any row has an error over seeds."""
        return any(line.seeds > 1 for line in self.lines)


def score_table(rows: Sequence[Row], groups: Sequence[SeedGroup], chosen: Sequence[str] = ()) -> ScoreTable:
    """Return the table of runs and of their groups, as `lrx.runs.collect.collect` gives both.

    chosen: scores as the .csv file names them, such as `metrics.mig`, or by the name alone; none: the main ones, or the
    loss of runs without assays.
    SettingError for one that no run has, or when there is no score.
    """
    known = list(dict.fromkeys((assay, name) for row in rows for assay in row.scores for name in _scores(row, assay)))
    main = [key for key in known if _is_main(key)] or [key for key in known if key == LOSS]
    keys = [_find(name, known) for name in chosen] if chosen else main
    if not keys:
        names = join_names([".".join(key) for key in known], 12)
        raise SettingError(f"scores must name some of {names}" if known else "table needs scores, and no run has any")
    lines = _lines(rows, groups, keys)
    keys = sorted(dict.fromkeys(keys), key=keys.index if chosen else _place)
    directions = {key: _direction(key) for key in keys}
    best = {key: place for key in keys if (place := _best(key, directions[key], lines)) is not None}
    return ScoreTable(_labels(keys), directions, lines, best)


def _lines(rows: Sequence[Row], groups: Sequence[SeedGroup], keys: Sequence[Key]) -> list[Line]:
    """Return the rows of groups and of single runs, in the order of their first run."""
    first = {run: group for group in groups for run in group.summary.runs[:1]}
    grouped = {run for group in groups for run in (*group.summary.runs, *group.summary.repeated)}
    parts: list[tuple[Config, Row | SeedGroup]] = []
    for row in rows:
        if row.run in first:
            parts.append((first[row.run].config, first[row.run]))
        elif row.run not in grouped and any(assay in row.scores for assay, _ in keys):
            parts.append(({**row.training, **row.measuring}, row))
    configs = [config for config, _ in parts]
    varying = distinguishing_keys(configs, [key for key in varying_keys(configs) if key not in SEEDS])
    labels = [group_label(config, varying) for config in configs]
    names = [part.run if isinstance(part, Row) else part.summary.runs[0] for _, part in parts]
    labels = [
        f"{label} ({name})" if labels.count(label) > 1 else label for label, name in zip(labels, names, strict=True)
    ]
    return [_line(label, part, keys) for label, (_, part) in zip(labels, parts, strict=True)]


def _line(label: str, part: Row | SeedGroup, keys: Sequence[Key]) -> Line:
    shown = {assay for assay, _ in keys}
    if isinstance(part, SeedGroup):
        cells = {key: part.summary.scores[key] for key in keys if key in part.summary.scores}
        return Line(label, len(part.summary.runs), bool(shown & part.summary.remarks.keys()), cells)
    scores = {key: part.scores.get(key[0], {}) for key in keys}
    cells = {
        (assay, name): over_seeds([own[name]], [own.get(f"{name}_se", math.nan)])
        for (assay, name), own in scores.items()
        if name in own
    }
    return Line(label, 1, any(part.assays[assay].remark for assay in shown & part.assays.keys()), cells)


def _direction(key: Key) -> int:
    description = catalog.describe(key[0])
    return description.direction(key[1]) if description else 0


def _best(key: Key, sign: int, lines: Sequence[Line]) -> int | None:
    """Return the place of the best row of a score, None where its difference from the next is within the error."""
    places = [place for place, line in enumerate(lines) if key in line.cells and not math.isnan(line.cells[key].mean)]
    if not sign or len(places) < 2:
        return None
    ranked = sorted(places, key=lambda place: -sign * float(lines[place].cells[key].mean))
    kind = "se_between" if any(line.seeds > 1 for line in lines) else "se_within"
    first, second = (lines[place].cells[key] for place in ranked[:2])
    error = math.hypot(float(getattr(first, kind)), float(getattr(second, kind)))
    return ranked[0] if abs(float(first.mean - second.mean)) > error else None  # NaN compares as false


def _find(name: str, known: Sequence[Key]) -> Key:
    found = [key for key in known if name in (".".join(key), key[1])]
    if len(found) == 1:
        return found[0]
    if found:
        raise SettingError(f"scores={name} is of several assays; give {' or '.join('.'.join(key) for key in found)}")
    words = {word: key for key in known for word in (".".join(key), key[1])}
    near = difflib.get_close_matches(name, words, n=1)
    hint = (
        f"did you mean {'.'.join(words[near[0]])}?"
        if near
        else f"valid: {join_names(['.'.join(k) for k in known], 12)}"
    )
    raise SettingError(f"scores={name} is a score of no run; {hint}")


def _scores(row: Row, assay: str) -> list[str]:
    """Return the scores of an assay that are no standard errors."""
    names = row.scores[assay]
    return [name for name in names if not (name.endswith("_se") and name.removesuffix("_se") in names)]


def _is_main(key: Key) -> bool:
    description = catalog.describe(key[0])
    return description is not None and key[1] in description.main_scores


def _place(key: Key) -> tuple[int, str, tuple[int, ...]]:
    """Return a key that sorts scores as reports have them."""
    positions, description = [*catalog.descriptions()], catalog.describe(key[0])
    place = positions.index(key[0]) if key[0] in positions else len(positions)
    return place, key[0], description.score_order(key[1]) if description else ()


def _labels(keys: Sequence[Key]) -> dict[Key, str]:
    """Return the heads of columns; those that two assays share have the assay before them."""
    known = metrics.scores()
    labels = {}
    for assay, name in keys:
        words = known[name].label if assay == "metrics" and name in known else humanize(name)
        labels[assay, name] = words.upper() if len(words) <= ACRONYM else words
    several = [*labels.values()]
    return {key: f"{humanize(key[0])}: {words}" if several.count(words) > 1 else words for key, words in labels.items()}
