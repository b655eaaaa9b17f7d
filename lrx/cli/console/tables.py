"""Results and runs as tables on a terminal.

Texts of files are foreign: no markup of rich's and no control character of theirs reaches the terminal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lrx.cli.console import matrix_table, summary
from lrx.core.text import format_value, humanize, printable, with_error

if TYPE_CHECKING:
    from lrx.core.types import AssayResult  # which imports torch, and tables need none
    from lrx.runs.over_seeds import Key
    from lrx.runs.seed_groups import SeedGroup
    from lrx.storage.results import Results

LEAST_NAME, LEAST_REST = 20, 56  # columns for the name of a run, and for its state and description
COLOURS = {"running": "cyan", "failed": "red", "interrupted": "yellow", "unknown": "magenta", "done": "green"}
COLOURS |= {"missing": "yellow", "deleted": "yellow"}
Runs = Sequence[tuple[str, str, str]]  # name, state, description
KEY = 30  # characters of a key, beyond which it takes two lines
SHA256 = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")  # of which the first twelve digits tell enough
LONG = ("config", "checkpoint_config")  # provenance that is a text of many lines


def file_parts(stored: Results, width: int, *, whole: bool = False) -> Iterator[RenderableType]:
    """Yield what answers, then the main scores of several assays.

    Of a single one, and of all with `whole`: matrices, scores, settings, arrays' names and axes, and the provenance.
    """
    yield from summary.answer_parts(stored.assays, width, whole=whole)
    if len(stored.assays) > 1 and not whole:
        yield summary.score_lines(stored.assays, width)
        remarks = {name: result.settings.get("remark") for name, result in stored.assays.items() if result.scores}
        yield from (_text(f"* {humanize(name)}: {remark}") for name, remark in remarks.items() if remark)
        return
    for name, result in stored.assays.items():
        yield Rule(_text(humanize(name), "bold"), align="left", style="dim")
        if result.settings.get("remark"):
            yield _text(str(result.settings["remark"]), "bold")  # no colour: yellow is pale on white
        hidden = matrix_table.why_hidden(result)
        if hidden:
            yield _text(hidden, "bold")
        elif "matrix" in result.arrays:
            yield from matrix_table.heat_tables(name, result, width)
        if result.scores:
            yield Padding(score_table(result), (0, 0, 1, 0), expand=False)
        settings = [(key, format_value(value)) for key, value in result.settings.items() if key != "remark"]
        yield _pairs("settings", settings)
        arrays = [(key, zip(array.axes, array.values.shape, strict=True)) for key, array in result.arrays.items()]
        if result.is_empty:
            continue
        yield _pairs("arrays", [(key, " × ".join(f"{axis} {size}" for axis, size in axes)) for key, axes in arrays])
    yield Rule(_text("provenance", "bold"), align="left", style="dim")
    texts = {key: format_value(value) for key, value in stored.provenance.items() if key not in LONG}
    yield _pairs("", [(key, SHA256.sub(r"\1…", text)) for key, text in texts.items() if text])


def score_table(result: AssayResult) -> Table:
    """Return all scores with their errors; those of an assay with a remark are marked `*`."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for key, value in result.scores.items():
        if not (key.endswith("_se") and key.removesuffix("_se") in result.scores):
            table.add_row(
                _text(humanize(key)), with_error(value, result.scores.get(f"{key}_se")) + summary.mark(result)
            )
    return table


def _pairs(title: str, rows: Sequence[tuple[str, str]]) -> Padding:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", overflow="fold", max_width=KEY)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(_text(humanize(name)), _text(value))
    parts = [Text(title, "underline dim"), table] if title else [table]
    return Padding(Group(*parts), (0, 0, 1, 0), expand=False)


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)


def runs_table(heading: str, runs: Runs, *, most: int, width: int) -> list[RenderableType]:
    """Return the heading, a table of the first runs, each in one line, and how many more there are."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    widest = max(LEAST_NAME, width - LEAST_REST)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()  # which rich makes narrow, as the others are not to wrap
    for name, state, description in runs[:most]:
        short = name if cell_len(name) <= widest else f"{name[: widest - 8]}…{name[-7:]}"  # the end tells runs apart
        parts = "  ".join(map(printable, description.split("  ")))  # whose gaps stay
        one_line = Text(parts, no_wrap=True, overflow="ellipsis")
        table.add_row(_text(short), _text(state, COLOURS.get(state, "dim")), one_line)
    more = [Text(f"and {len(runs) - most:,} more", "dim")] if len(runs) > most else []
    return [_text(heading, "bold"), *([table] if runs else []), *more]


def seeds_table(groups: Sequence[SeedGroup], *, most: int, is_main: Callable[[Key], bool]) -> Iterator[RenderableType]:
    """Yield for each of the first groups that have main scores their models, and a table of these with both errors."""
    groups = [group for group in groups if any(map(is_main, group.summary.scores))]
    for group in groups[:most]:
        summary = group.summary
        remarked = {run for runs in summary.remarks.values() for run in runs}
        remarks = f"; {len(remarked)} with a remark *" if remarked else ""
        yield _text(f"{group.label}: {len(summary.runs)} seeds{remarks}", "bold")
        latents = f"as in {summary.reference}, by {summary.alignment}, agreement {summary.agreement:.3g}"
        yield _text(f"latents {latents if summary.reference else summary.alignment}", "dim")
        table = Table(box=None, pad_edge=False, header_style="dim")
        for head in ("", "mean", "within model", "between seeds"):
            table.add_column(head, overflow="fold")
        for key, estimate in summary.scores.items():
            if is_main(key):
                name = _text(f"{humanize(key[0])}: {humanize(key[1])}")
                value = f"{estimate.mean:.4g}{' *' if key[0] in summary.remarks else ''}"
                table.add_row(name, value, *("–" if math.isnan(se) else f"± {se:.2g}" for se in estimate[1:3]))
        yield table
    if len(groups) > most:
        yield Text(f"and {len(groups) - most:,} more groups of seeds", "dim")
