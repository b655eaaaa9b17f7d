"""Summary of results on a terminal: what answers to each factor and what each latent moves, and the main scores."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lrx.assays import answers, catalog
from lrx.assays.answers import Answer, Answers
from lrx.core.rounding import plus_minus
from lrx.core.text import humanize, join_names, printable, with_error

if TYPE_CHECKING:
    from lrx.core.types import AssayResult  # which imports torch, and results are shown without

MOST_LATENTS, MOST_SCORES = 16, 3  # that are shown, of an assay or a job
GAP = 2  # columns after a name
LEAST_WIDTH = 24  # columns for answers on a narrow terminal
NO_BREAK = "\N{NO-BREAK SPACE}"  # within an answer, until lines are broken

Line = tuple[str, Sequence[Answer], str]  # what precedes answers, and what stands for none


def answer_parts(assays: Mapping[str, AssayResult], width: int, *, whole: bool = False) -> Iterator[RenderableType]:
    """Yield the answers of results with factors, or of a traversal; nothing of others.

    Of many answers, those that fit a line are shown, and of many latents those that answer most, unless `whole`.
    """
    by_factor, by_latent = answers.factor_answers(assays), answers.latent_answers(assays)
    is_walk = any("answer" in result.arrays for result in assays.values())
    moved = answers.moved_latents(assays) if by_factor or is_walk else {}
    if by_factor:
        yield Text("latents that answer to each factor: response ± standard error", "bold")
        yield _lines({factor: [("", found, "no latent")] for factor, found in by_factor.items()}, width, whole=whole)
    names = list(dict.fromkeys([*by_latent, *moved]))
    answering = [name for name in names if by_latent.get(name) or moved.get(name)]
    shown = answering if whole else _strongest(answering, by_latent, moved)
    if names:
        yield Text(_heading(by_latent, moved), "bold")
        rows = {name: _of_latent(by_latent.get(name), moved.get(name)) for name in shown}
        yield _lines(rows, width, whole=whole)
    if len(answering) > len(shown):
        yield Text(f"and {len(answering) - len(shown):,} more latents that answer less\n", "dim")
    silent = [name for name in names if name not in answering]
    if silent:
        yield Text(printable(f"no answer beyond its error: {join_names(silent, most=8)}") + "\n", "dim")


def score_lines(assays: Mapping[str, AssayResult], width: int) -> RenderableType:
    """Return a table with a line for each assay: its main scores, or why it was not measured."""
    rows = {}
    for name, result in in_order(assays).items():
        reason = printable(str(result.settings.get("remark") or "no scores"))
        rows[humanize(name)] = [_joined(main_scores(name, result)) or reason]
    return _entries(rows, width, style="bold")


def main_scores(name: str, result: AssayResult, least: int = 0) -> list[str]:
    """Return the main scores with their errors, filled up to `least`; of an assay that lrx does not have the first."""
    description = catalog.describe(name)
    errors = {f"{key}_se" for key in result.scores}
    main = [key for key in (description.main_scores if description else ()) if key in result.scores]
    rest = [key for key in result.scores if key not in errors and key not in main]
    keys = [*main, *rest[: max(0, (least if main else MOST_SCORES) - len(main))]][:MOST_SCORES]
    texts = [f"{humanize(key)} {with_error(result.scores[key], result.scores.get(f'{key}_se'))}" for key in keys]
    return [text + mark(result) for text in texts]


def mark(result: AssayResult) -> str:
    """Return the mark of scores on which the assay has a remark; empty for others."""
    return " *" if result.settings.get("remark") else ""


def job_scores(assays: Mapping[str, AssayResult]) -> list[str]:
    """Return the scores for the line of a job: three of a single assay, else the first of each of three assays."""
    measured = {name: result for name, result in in_order(assays).items() if result.scores}
    if len(measured) == 1:
        ((name, result),) = measured.items()
        return [f"{humanize(name)}, {'; '.join(main_scores(name, result, MOST_SCORES))}"]
    names = list(measured)[:MOST_SCORES]
    return [f"{humanize(name)}, {main_scores(name, measured[name])[0]}" for name in names] or list(
        map(humanize, assays)
    )


def in_order(assays: Mapping[str, AssayResult]) -> dict[str, AssayResult]:
    """Return the assays in the order of reports, those that lrx does not have last."""
    known = [name for name in catalog.descriptions() if name in assays]
    return {name: assays[name] for name in [*known, *(name for name in assays if name not in known)]}


def _heading(by_latent: Answers, moved: Answers) -> str:
    if not by_latent:
        return "latents that move when one is set: change ± standard error"
    return "factors that each latent answers to" + (", and latents that move when it is set" if moved else "")


def _of_latent(factors: Sequence[Answer] | None, moved: Sequence[Answer] | None) -> list[Line]:
    """Return the lines of a latent: the factors that it answers to, and the latents that it moves."""
    lines: list[Line] = [] if factors is None else [("", factors, "no factor")]
    return lines if moved is None else [*lines, ("moves " if lines else "", moved, "no other latent")]


def _lines(rows: Mapping[str, Sequence[Line]], width: int, *, whole: bool) -> Padding:
    room = _room(rows, width)
    texts = {name: [_listed(*line, None if whole else room) for line in lines] for name, lines in rows.items()}
    return _entries(texts, width)


def _listed(prefix: str, found: Sequence[Answer], none: str, room: int | None) -> str:
    """Write answers with their errors, as many as fit so many characters, and how many more there are."""
    items = [f"{answer.name}, {plus_minus(answer.response, answer.se)}" for answer in found]
    texts = [prefix + _joined(items[:count], len(items) - count) for count in range(len(items), 0, -1)]
    return next((text for text in texts if room is None or len(text) <= room), texts[-1] if texts else prefix + none)


def _joined(items: Sequence[str], more: int = 0) -> str:
    """Join texts; a line is to break between two of them."""
    parts = [*items, *([f"and {more:,} more"] if more else [])]
    return "; ".join(printable(part).replace(" ", NO_BREAK) for part in parts)


def _strongest(names: Sequence[str], *parts: Answers) -> list[str]:
    """Return the names with the largest responses, in their order."""
    largest = {
        name: max((part[name][0].response for part in parts if part.get(name)), default=-math.inf) for name in names
    }
    kept = sorted(names, key=lambda name: -largest[name])[:MOST_LATENTS]
    return [name for name in names if name in kept]


def _room(rows: Mapping[str, object], width: int) -> int:
    """Return the characters beside the names of rows."""
    return max(LEAST_WIDTH, width - GAP - max(map(len, rows), default=0))


def _entries(rows: Mapping[str, Sequence[str]], width: int, *, style: str = "") -> Padding:
    """Return names with their lines beside them, which break between the parts of a line."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, GAP, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, lines in rows.items():
        broken = [part for line in lines for part in textwrap.wrap(line, _room(rows, width))]
        table.add_row(Text(printable(name), style), Text("\n".join(broken).replace(NO_BREAK, " ")))
    return Padding(table, (0, 0, 1, 0), expand=False)
