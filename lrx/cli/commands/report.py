"""Draw one HTML page that needs no other file and no network.
  result.h5, or an assay's folder: every assay with its pictures, its scores,
    what they mean, and the command to make it again
  a training run: its curves, and all assays in its folder, or in the folder
    `assay` beside `train`, that measured its checkpoint
  a sweep: scores of all runs as a table, against each other and over seeds,
    and matrices side by side
  two runs or results: the answers of their assays side by side, differences
    of scores with errors, matrices on the same scale, and what differs in
    their configs
The page is report.html in the folder, or FILE.html; of two runs it is
comparison-with-NAME.html in the folder of the first.
"""

from __future__ import annotations

from pathlib import Path

from lrx.cli.console import messages


def report_command(path: Path, *others: Path, out: Path | None = None) -> None:
    """Write the report of a path, or of two beside each other, and print where it is and what could not be read."""
    if len(others) > 1:
        raise ValueError(
            f"lrx report compares two runs, not {len(others) + 1}; of more, give the folder that holds them"
        )
    from lrx.report import page  # which imports matplotlib, and help needs none

    written, faults = page.write_comparison((path, others[0]), out) if others else page.write(path, out)
    for fault in faults:
        messages.warn(fault)
    messages.note(str(written))
