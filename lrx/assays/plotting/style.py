"""Style of all pictures: one sans-serif font, few lines, a colour map for colour-blind readers, exact sizes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import lrx
from lrx.assays.plotting.fit import fit
from lrx.assays.plotting.page import DOUBLE, SINGLE, page, shared, width
from lrx.core.text import printable
from lrx.storage.atomic import write

__all__ = ["DOUBLE", "SINGLE", "shared", "width"]

SEQUENTIAL = "cividis"  # for colour-blind readers, uniform in lightness (Nuñez et al. 2018)
ACCENT = "#b3391f"
QUIET = "#5f6368"
SMALL, TICK, TEXT, TITLE = 6.5, 7.0, 8.0, 9.5  # points of small print and cells, ticks and legends, labels, titles
DPI = 160  # of pictures on a screen
FORMATS = ("pdf", "svg", "png")
MARK = "lrx figure"  # in each file, by which an older one is known
CREATOR = f"{MARK} {lrx.__version__}"
PRINT_DPI = 300  # of pixels in print, and of images and maps within vector files


@contextmanager
def plot_style() -> Iterator[None]:
    """Set lrx's fonts and lines for the block, in which a picture is drawn and saved; restore the caller's after."""
    with mpl.rc_context(
        {
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],  # the first comes with matplotlib; svg names all
            "font.size": TEXT,
            "text.parse_math": False,  # a name with two dollars is a name
            "axes.labelsize": TEXT,
            "axes.titlesize": TEXT,
            "axes.linewidth": 0.6,
            "axes.edgecolor": QUIET,
            "legend.fontsize": TICK,
            "xtick.labelsize": TICK,
            "ytick.labelsize": TICK,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
            "ps.fonttype": 42,
            "svg.fonttype": "none",  # text, which can be searched and edited
            "svg.hashsalt": "lrx",  # one picture, one file
            "savefig.bbox": None,  # sizes as asked
        }
    ):
        yield


def figure(wide: float, high: float) -> Figure:
    """Return a blank figure of this size in inches, or the part of a larger one that the page has for the picture."""
    return (page().blank or new_figure)(wide, high)


def new_figure(wide: float, high: float) -> Figure:
    """Return a figure of this size in inches, drawn by Agg without a display or pyplot."""
    blank = Figure(figsize=(wide, high), dpi=DPI, facecolor="white")
    FigureCanvasAgg(blank)
    return blank


def save(drawn: Figure, path: Path) -> Path:
    """Save a figure as PNG, in one step. OSError in one line when it cannot be written."""
    write(path, png(drawn))
    return path


def png(drawn: Figure) -> bytes:
    """Return a figure as PNG for a screen, of the width it was drawn in; to be called within `plot_style`."""
    fit(drawn, page().width or drawn.get_figwidth(), exact=False)
    return content(drawn, "png", dpi=DPI)


def content(drawn: Figure, file_format: str, *, dpi: int = PRINT_DPI) -> bytes:
    """Return a figure as a file of one of `FORMATS`, of the size that it has; its label is the description.

    The same figure gives the same bytes: no date is written. To be called within `plot_style`.
    """
    buffer, text = io.BytesIO(), printable(str(drawn.get_label()))
    metadata: dict[str, dict[str, str | None]] = {
        "pdf": {"Creator": CREATOR, "Subject": text, "CreationDate": None},
        "svg": {"Creator": CREATOR, "Description": text, "Date": None},
        "png": {"Software": CREATOR, "Description": text},
    }
    drawn.savefig(buffer, format=file_format, dpi=dpi, metadata=metadata[file_format])
    return buffer.getvalue()
