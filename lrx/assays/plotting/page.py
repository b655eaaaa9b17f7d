"""Page that a picture is drawn for: its width in inches, whether it has a heading, and limits that results share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from matplotlib.figure import Figure

SINGLE, DOUBLE = 3.25, 6.75  # inches of one column and of two columns of a journal

Limits = dict[str, tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Page of the pictures that are drawn within `on_page`.

    width: inches; None: the one that each picture prefers. heading: whether the title of an assay is drawn, which a
    journal sets itself. limits: by name, those of all results that are drawn next to one another; None: of one alone.
    blank: function of width and height in inches that gives the figures to draw in; None: figures of their own.
    """

    width: float | None = None
    heading: bool = True
    limits: Limits | None = None
    blank: Callable[[float, float], Figure] | None = None


_PAGE: ContextVar[Page | None] = ContextVar("page", default=None)


@contextmanager
def on_page(page: Page) -> Iterator[None]:
    """Draw the pictures of the block for a page."""
    token = _PAGE.set(page)
    try:
        yield
    finally:
        _PAGE.reset(token)


def page() -> Page:
    """Return the page that is drawn for."""
    return _PAGE.get() or Page()


def width(preferred: float) -> float:
    """Return the width to draw in, in inches: that of the page, else the preferred one, `SINGLE` or `DOUBLE`."""
    return page().width or preferred


def shared(name: str, low: float, high: float) -> tuple[float, float]:
    """Widen limits of a scale, such as those of colours, to the limits of the results drawn next to this one.

    name: of the scale, one for each scale of a picture.
    """
    limits = page().limits
    if limits is None:
        return low, high
    known = limits.get(name, (low, high))
    limits[name] = min(low, known[0]), max(high, known[1])
    return limits[name]
