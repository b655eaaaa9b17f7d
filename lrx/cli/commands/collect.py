"""Read every run at or below FOLDER: a sweep of trainings with the assays in
them, a sweep of assays, or all of outputs. Write FOLDER/collected.h5, which
xarray opens (the dimension is `run`, a group an assay), and collected.csv, a
row a run; or PATH.h5 and PATH.csv. Runs that are unfinished or failed, files
that cannot be read, and remarks of assays on their scores are listed. Runs
that differ in their seed alone are summarised, with their latents aligned, in
collected-seeds.csv and the group `over_seeds` of collected.h5; those with the
assay `codes` are ranked by how far they agree (UDR).
table=latex (or markdown) also writes collected-table.tex (.md) for a paper: a
row for each group of seeds, scores as mean ± error over seeds (error within
models), the best in bold where its difference exceeds its error. It has the
main scores, or those of scores=mig,conditioned_response.cds.
"""

from __future__ import annotations

import os
from pathlib import Path

from lrx.assays import catalog
from lrx.cli.console import messages
from lrx.core.paths import PART
from lrx.core.text import join_names
from lrx.report.score_table import score_table
from lrx.report.score_table_text import ENDINGS, STARTS, WRITERS
from lrx.runs.catalog import summary
from lrx.runs.collect import collect, seeds_csv
from lrx.runs.over_seeds import Key
from lrx.storage import results
from lrx.storage.atomic import atomic_path
from lrx.storage.overwrite import check_target, has_near_start

MOST = 5  # runs that a warning names


def collect_command(top: Path, out: Path | None = None, table: str | None = None, scores: str | None = None) -> None:
    """Collect the runs of a folder, and list those that did not end well. ValueError when there are none.

    table: format of a table for a paper (`lrx.report.score_table_text`); scores: its columns, with commas.
    """
    path = top / "collected.h5" if out is None else out
    if scores is not None and table is None:
        raise ValueError(f"scores={scores} are those of a table; give table=latex or table=markdown with it")
    if table is not None:
        check_target(_table_file(path, table), ENDINGS[table], has_near_start(STARTS[table]))
    join_shards(top)
    rows, groups = collect(top, path)
    made = [path, path.with_suffix(".csv"), *([seeds_csv(path)] if groups else [])]
    remarked = sum(bool(row.remark) for row in rows)
    messages.show_runs(
        f"{top}: {summary(row.state for row in rows)}" + (f"; {remarked:,} with a remark" if remarked else ""),
        [
            (row.run, row.state, "; ".join(filter(None, (row.error, row.remark))))
            for row in rows
            if row.error or row.remark or row.state != "done"
        ],
    )
    foreign = [f"{row.run}: {join_names(row.foreign)}" for row in rows if row.foreign]
    if foreign:
        more = f"; and {len(foreign) - MOST:,} more runs" if len(foreign) > MOST else ""
        messages.warn(f"left out what lrx did not write: {'; '.join(foreign[:MOST])}{more}")
    messages.show_over_seeds(groups, is_main=_is_main)
    if table is not None:
        text = WRITERS[table](score_table(rows, groups, scores.split(",") if scores else ()), str(top))
        with atomic_path(_table_file(path, table)) as beside:
            beside.write_text(text, encoding="utf-8")
        made.append(_table_file(path, table))
    messages.note("\n".join(map(str, made)))


def _table_file(path: Path, table: str) -> Path:
    return path.with_name(f"{path.stem}-table{ENDINGS[table]}")


def _is_main(key: Key) -> bool:
    """Return whether a score is one of the main scores of its assay."""
    description = catalog.describe(key[0])
    return description is not None and key[1] in description.main_scores


def join_shards(top: Path) -> None:
    """Join the parts of assays that were split, where all are there and no job has joined them."""
    for folder in sorted({Path(where).parent for where, _, files in os.walk(top) if PART in files}):
        if not (folder / results.FILENAME).exists():
            from lrx.cli.commands import assay  # torch, which only joining needs

            try:
                assay.join(folder)
            except (ValueError, OSError) as error:
                messages.warn(f"{folder}: {error}")
