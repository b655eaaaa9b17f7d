"""Style of all pictures: one sans-serif font, few lines, a colour map for colour-blind readers, no global state."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lrx.assays.plotting.figure_caption import SEPARATOR
from lrx.storage.atomic import write

SEQUENTIAL = "cividis"  # for colour-blind readers, uniform in lightness (Nuñez et al. 2018)
ACCENT = "#b3391f"
QUIET = "#5f6368"
DPI = 160


@contextmanager
def plot_style() -> Iterator[None]:
    """Set lrx's fonts and lines for the block, in which a picture is drawn and saved; restore the caller's after."""
    with mpl.rc_context(
        {
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "text.parse_math": False,  # a name with two dollars is a name
            "axes.labelsize": 9,
            "axes.linewidth": 0.6,
            "axes.edgecolor": QUIET,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
        }
    ):
        yield


def figure(width: float, height: float) -> Figure:
    """Return a blank figure of this size in inches, drawn by Agg without a display or pyplot."""
    blank = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(blank)
    return blank


def title(axes: Axes, text: str, caption: str, *, characters: int, above: float = 0) -> None:
    """Write a bold title above the axes, and below it a caption in small print.

    characters: at which the caption is wrapped. above: points over the axes that heads of panels take.
    """
    lines = wrap_caption(caption, characters)
    axes.set_title(text, fontweight="bold", fontsize=11, loc="left", pad=above + 18 + 10 * len(lines))
    axes.annotate(
        "\n".join(lines),
        (0, 1),
        xytext=(0, above + 13),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7,
        color=QUIET,
        va="bottom",
        linespacing=1.3,
    )


def wrap_caption(caption: str, characters: int) -> list[str]:
    """Break a caption into lines of at most so many characters, between its parts where they fit on a line.

    >>> wrap_caption("VAE · a part of a caption · one-valued", 24)
    ['VAE', 'a part of a caption', 'one-valued']
    """
    lines: list[str] = []
    for part in caption.split(SEPARATOR):
        if lines and len(lines[-1]) + len(SEPARATOR) + len(part) <= characters:
            lines[-1] += SEPARATOR + part
        else:
            lines += textwrap.wrap(part, characters, break_on_hyphens=False)
    return lines


def save(drawn: Figure, path: Path) -> Path:
    """Save a figure as PNG, in one step. OSError in one line when it cannot be written."""
    write(path, png(drawn))
    return path


def png(drawn: Figure) -> bytes:
    """Return a figure as PNG, its margins cut."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.12)
    return buffer.getvalue()
