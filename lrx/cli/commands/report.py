"""Draw one HTML page that needs no other file and no network.
  result.h5, or an assay's folder: every assay with its pictures, its scores,
    what they mean, and the command to make it again
  a training run: its curves, and all assays in its folder, or in the folder
    `assay` beside `train`, that measured its checkpoint
  a sweep: scores of all runs as a table, against each other and over seeds,
    and matrices side by side
The page is report.html in the folder, or FILE.html.
"""

from __future__ import annotations

from pathlib import Path

from lrx.cli.console import messages


def report_command(path: Path, out: Path | None = None) -> None:
    """Write the report of a path, and print where it is and what could not be read."""
    from lrx.report import page  # which imports matplotlib, and help needs none

    written, faults = page.write(path, out)
    for fault in faults:
        messages.warn(fault)
    messages.note(str(written))
