"""Read every run at or below FOLDER: a sweep of trainings with the assays in
them, a sweep of assays, or all of outputs. Write FOLDER/collected.h5, which
xarray opens (the dimension is `run`, a group an assay), and collected.csv, a
row a run; or PATH.h5 and PATH.csv. Runs that are unfinished or failed, files
that cannot be read, and remarks of assays on their scores are listed. Runs that differ in
their seed alone and have the assay `codes` are ranked by how far they agree
(UDR).
"""

from __future__ import annotations

from pathlib import Path

from lrx.cli.console import messages
from lrx.core.paths import PART
from lrx.runs.catalog import summary
from lrx.runs.collect import collect
from lrx.storage import results


def collect_command(top: Path, out: Path | None = None) -> None:
    """Collect the runs of a folder, and list those that did not end well. ValueError when there are none."""
    join_shards(top)
    path = top / "collected.h5" if out is None else out
    rows = collect(top, path)
    remarked = sum(bool(row.remark) for row in rows)
    messages.show_runs(
        f"{top}: {summary(row.state for row in rows)}" + (f"; {remarked:,} with a remark" if remarked else ""),
        [
            (row.run, row.state, "; ".join(filter(None, (row.error, row.remark))))
            for row in rows
            if row.error or row.remark or row.state != "done"
        ],
    )
    messages.note(f"{path}\n{path.with_suffix('.csv')}")


def join_shards(top: Path) -> None:
    """Join the parts of assays that were split, where all are there and no job has joined them."""
    for folder in sorted({part.parent.parent for part in top.rglob(PART)}):
        if not (folder / results.FILENAME).exists():
            from lrx.cli.commands import assay  # torch, which only joining needs

            try:
                assay.join(folder)
            except (ValueError, OSError) as error:
                messages.warn(f"{folder}: {error}")
