"""Style of all pictures: one sans-serif font, few lines, a colour map for colour-blind readers, exact sizes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lrx.assays.plotting.fit import fit
from lrx.assays.plotting.page import DOUBLE, SINGLE, page, shared, width
from lrx.storage.atomic import write

__all__ = ["DOUBLE", "SINGLE", "shared", "width"]

SEQUENTIAL = "cividis"  # for colour-blind readers, uniform in lightness (Nuñez et al. 2018)
ACCENT = "#b3391f"
QUIET = "#5f6368"
SMALL, TICK, TEXT, TITLE = 6.5, 7.0, 8.0, 9.5  # points of small print and cells, ticks and legends, labels, titles
DPI = 160  # of pictures on a screen
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
    """Return a blank figure of this size in inches, drawn by Agg without a display or pyplot.

    Where several results are drawn next to one another it is the part of the page for one of them.
    """
    panel = page().panel
    if panel is not None:
        return cast(Figure, panel)  # both are FigureBase; pictures use nothing else
    blank = Figure(figsize=(wide, high), dpi=DPI, facecolor="white")
    FigureCanvasAgg(blank)
    return blank


def title(axes: Axes, text: str, caption: str, *, characters: int = 0, above: float = 0) -> None:
    """Write a heading."""
    from lrx.assays.plotting.heading import heading

    heading(axes, text, caption, above=above)


def save(drawn: Figure, path: Path) -> Path:
    """Save a figure as PNG, in one step. OSError in one line when it cannot be written."""
    write(path, png(drawn))
    return path


def png(drawn: Figure) -> bytes:
    """Return a figure as PNG for a screen, its margins cut; to be called within `plot_style`."""
    fit(drawn, page().width or drawn.get_figwidth())
    return content(drawn, "png", dpi=DPI)


def content(drawn: Figure, file_format: str, *, dpi: int = PRINT_DPI) -> bytes:
    """Return a figure as a file of a format (png, pdf, svg), of the size that it has; without the date."""
    buffer = io.BytesIO()
    metadata = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[file_format]
    drawn.savefig(buffer, format=file_format, dpi=dpi, metadata=metadata)
    return buffer.getvalue()
