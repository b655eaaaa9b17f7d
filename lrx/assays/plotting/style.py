"""The look of lrx's pictures: one sans-serif font, few lines, a map that colour-blind eyes read, no global state."""

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

SEQUENTIAL = "cividis"  # made for colour-blind eyes, even in lightness (Nuñez et al. 2018)
ACCENT = "#b3391f"
QUIET = "#5f6368"
DPI = 160


@contextmanager
def plot_style() -> Iterator[None]:
    """The house's fonts and lines while a picture is drawn and saved; the caller's settings come back after."""
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
    """A blank figure of this size in inches, drawn by Agg: no display, no pyplot."""
    blank = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(blank)
    return blank


def title(axes: Axes, text: str, small_print: str, *, characters: int, above: float = 0) -> None:
    """A bold title above the axes, and below it small print, wrapped at so many characters.

    above: points over the axes that heads of panels take.
    """
    lines = wrapped(small_print, characters)
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


def wrapped(small_print: str, characters: int) -> list[str]:
    """Lines of at most so many characters, which keep the parts of small print whole where they fit on a line.

    >>> wrapped("VAE · a part of small print · one-valued", 24)
    ['VAE', 'a part of small print', 'one-valued']
    """
    lines: list[str] = []
    for part in small_print.split(SEPARATOR):
        if lines and len(lines[-1]) + len(SEPARATOR) + len(part) <= characters:
            lines[-1] += SEPARATOR + part
        else:
            lines += textwrap.wrap(part, characters, break_on_hyphens=False)
    return lines


def save(drawn: Figure, path: Path) -> Path:
    """Write a PNG with its margins cut to what is drawn, whole or not at all; OSError in one line when it cannot be."""
    write(path, png(drawn))
    return path


def png(drawn: Figure) -> bytes:
    """A PNG with its margins cut to what is drawn."""
    written = io.BytesIO()
    drawn.savefig(written, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.12)
    return written.getvalue()
