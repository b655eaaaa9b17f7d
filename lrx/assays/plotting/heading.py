"""Heading of a picture: its title, left out where a journal sets it, and at most one line of small print."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from lrx.assays.plotting import page
from lrx.assays.plotting.figure_caption import SEPARATOR
from lrx.assays.plotting.fit import HEADING, MARGIN
from lrx.assays.plotting.style import QUIET, SMALL, TITLE

SLACK = 1.03  # of widths: letters on a screen are set on whole pixels
LINE = 1.35  # heights of a line of small print


def heading(axes: Axes, title: str, caption: str, *, key: str = "", above: float = 0) -> None:
    """Write the title and one line of small print above the uppermost axes, from the left edge of the page.

    The figure keeps title and caption as its label, for the text below a printed picture.

    caption: model, data and settings, its parts joined by `SEPARATOR`; those of the small print are the first that fit.
    key: what a reader needs beside the picture, such as the meaning of a mark, first in the small print and on all
    pages; the caption is drawn where the page has headings. above: points over the axes that heads of panels take.
    """
    figure = axes.figure
    assert figure is not None
    figure.set_label(f"{title}. {caption}")
    room = 72 * (page.width(figure.bbox.width / figure.dpi) - 2 * MARGIN)
    parts = [key, *(caption.split(SEPARATOR) if page.page().heading else [])]
    line = first_parts([part for part in parts if part], room)
    height = above + 4
    if line:
        _write(axes, line, height, min(SMALL, SMALL * room / max(width_of(line), 1e-9)), "normal", QUIET)
        height += LINE * SMALL + 2
    if page.page().heading:
        _write(axes, title, height, TITLE, "bold", "black")


def first_parts(parts: list[str], room: float) -> str:
    """Join the first parts that fit on a line of small print of `room` points; the first one whether it fits or not."""
    line = parts[0] if parts else ""
    for part in parts[1:]:
        longer = line + SEPARATOR + part
        if width_of(longer) > room:
            break
        line = longer
    return line


def shortened(text: str, room: float, size: float) -> str:
    """Cut a bold line of `size` points to `room` points, with dots at its end."""
    if width_of(text, size, "bold") <= room:
        return text
    while text and width_of(f"{text} …", size, "bold") > room:
        text = text[:-1]
    return f"{text} …"


def width_of(text: str, size: float = SMALL, weight: str = "normal") -> float:
    """Return the width of a line in points."""
    font = FontProperties(size=size, weight=weight)
    wide, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return SLACK * float(wide)


def _write(axes: Axes, text: str, points: float, size: float, weight: str, colour: str) -> None:
    """Write a line at the left edge of the page, so many points over the axes."""
    figure = axes.figure
    assert figure is not None
    shift = ScaledTranslation(MARGIN, points / 72, figure.dpi_scale_trans)
    place = blended_transform_factory(figure.transSubfigure, axes.transAxes) + shift
    written = axes.text(0, 1, text, transform=place, fontsize=size, fontweight=weight, color=colour, va="bottom")
    written.set_gid(HEADING)
    written.set_in_layout(False)  # `fit` keeps room above it, and its width is that of the page
