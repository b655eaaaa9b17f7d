"""Draw the pictures of results for print, one file each, without a title:
text as text, fonts embedded, as wide as asked.
  result.h5, or an assay's folder: the pictures of one assay, or of all
  several of them: next to one another, with one scale of colours
width is in inches: 3.25 is one column of a journal and 6.75 two; without it
each picture has the one that suits it. The files go to the folder `figures`
beside the result, or in the current folder for several; to FOLDER; or to a
FILE.pdf, FILE.svg or FILE.png. The text below the figure is printed.
"""

from __future__ import annotations

from pathlib import Path

from lrx.cli.console import messages
from lrx.core.validation import SettingError

NARROWEST, WIDEST = 2.0, 40.0  # inches; below, there is no room for labels


def figure_command(
    *paths: Path, assay: str | None = None, format: str | None = None, width: str | None = None, out: Path | None = None
) -> None:
    """Write the pictures of results, and print each path and caption. SettingError for a width out of bounds."""
    inches = _inches(width)
    from lrx.report import figure_files  # which imports matplotlib, and help needs none

    for path, caption in figure_files.write_figures(paths, assay=assay, file_format=format, width=inches, out=out):
        messages.note(str(path))
        messages.note(f"  {caption}")


def _inches(width: str | None) -> float | None:
    """Return a width as a number of inches."""
    if width is None:
        return None
    try:
        inches = float(width)
    except ValueError:
        inches = 0.0
    if not NARROWEST <= inches <= WIDEST:
        raise SettingError(
            f"width must be a number of inches from {NARROWEST:g} to {WIDEST:g}, such as 3.25 or 6.75, not {width}"
        )
    return inches
