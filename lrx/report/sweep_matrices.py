"""Matrices on a sweep's page: of runs, and of groups of seeds the mean and its error between seeds."""

from __future__ import annotations

from collections.abc import Sequence

from lrx.assays.plotting import style
from lrx.core.types import Array, AssayResult
from lrx.report import pictures, small_matrix
from lrx.report.pictures import Picture
from lrx.report.run_page import description_of
from lrx.report.sweep_runs import MATRICES, SweepRun
from lrx.runs.seed_groups import SeedGroup
from lrx.storage import results


def run_matrices(rows: Sequence[SweepRun], name: str) -> tuple[list[tuple[str, Picture]], list[str]]:
    """Return the matrices of an assay with names of runs, `*` where it has a remark; and a line for each fault."""
    drawn, faults = [], []
    for row in rows:
        if name not in row.assays:
            continue
        try:
            result = results.read(row.assays[name].path).assays[name]
            if "matrix" in result.arrays:
                alt = f"{description_of(name).pictures[name].alt} {row.name}."
                drawn.append((f"{row.name} *" if name in row.remarks else row.name, _picture(result, alt)))
        except Exception as error:  # drawing raises anything, for arrays that a file may hold
            faults.append(f"{row.name}: its {name} cannot be drawn ({pictures.reason(error)})")
    return drawn, faults


def mean_matrices(group: SeedGroup, rows: Sequence[SweepRun]) -> tuple[list[Picture], list[str]]:
    """Draw the mean of each matrix and its between-seed error, in the colours of its runs; and a line for a fault."""
    drawn, faults = [], []
    for name in MATRICES:
        array, estimate = group.summary.arrays.get((name, "matrix"), (None, None))
        if array is None or estimate is None:
            continue
        title = description_of(name).title
        file = next(row.assays[name].path for row in rows if row.name in group.summary.runs and name in row.assays)
        try:
            settings = results.read(file).assays[name].settings
            for values, what in (
                (estimate.mean, "mean over seeds"),
                (estimate.se_between, "standard error between seeds"),
            ):
                caption = f"{title}, {what}"
                mean = AssayResult({"matrix": Array(values, array.axes)}, group.summary.labels[name], {}, settings)
                drawn.append(_picture(mean, f"{caption}, of {group.label}.", caption))
        except Exception as error:  # drawing raises anything, for arrays that a file may hold
            faults.append(f"{group.label}: the mean {name} cannot be drawn ({pictures.reason(error)})")
    return drawn, faults


def _picture(result: AssayResult, alt: str, caption: str = "") -> Picture:
    with style.plot_style():
        return pictures.as_picture(small_matrix.figure(result), alt, caption=caption)
