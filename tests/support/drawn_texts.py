"""Texts of a picture as they are drawn: those outside the canvas, those on top of one another, and the smallest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text

SLACK = 0.6  # points that two texts may share upwards, as their boxes are higher than their ink
BETWEEN = 1.0  # points between texts on a line, at least


@contextmanager
def _recorded(drawn: list[Text]) -> Iterator[None]:
    """Note each text that is drawn in the block; ticks out of view and parts that are not visible are not."""
    original = Text.draw

    def draw(self: Text, renderer: RendererBase) -> None:
        if self.get_visible() and self.get_text().strip():
            drawn.append(self)
        original(self, renderer)

    Text.draw = draw  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Text.draw = original  # type: ignore[method-assign]


def drawn_texts(figure: Figure) -> list[Text]:
    """Draw a figure and return its texts."""
    drawn: list[Text] = []
    with _recorded(drawn):
        figure.canvas.draw()
    return drawn


def box(text: Text) -> np.ndarray:
    """Return the corners (4, 2) of a text in points, turned as the text is."""
    around, angle = text.get_window_extent(), np.deg2rad(text.get_rotation())
    middle = np.array([around.x0 + around.x1, around.y0 + around.y1]) / 2
    text.set_rotation(0)
    flat = text.get_window_extent()
    text.set_rotation(np.rad2deg(angle))
    half = np.array([flat.width, flat.height]) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    figure = text.get_figure(root=True)
    assert figure is not None
    return np.asarray((middle + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half @ turn.T) * 72 / figure.dpi)


def overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two rectangles meet: along none of their sides (separating axes) they are apart.

    Along a line of text BETWEEN has to be free, across it they may share SLACK.
    """
    for corners in (one, other):
        for side, allowed in ((corners[1] - corners[0], -BETWEEN), (corners[3] - corners[0], SLACK)):
            along = side / max(float(np.hypot(*side)), 1e-9)
            first, second = one @ along, other @ along
            if min(first.max(), second.max()) - max(first.min(), second.min()) <= allowed:
                return False
    return True


def faults(figure: Figure, *, least: float) -> list[str]:
    """Say which texts of a figure lie on another, leave the canvas, are unreadable, or below `least` points."""
    texts = drawn_texts(figure)
    boxes = [box(text) for text in texts]
    wide, high = 72 * figure.get_size_inches()
    named = [text.get_text() for text in texts]
    messages = [
        f"{name!r} of {text.get_fontsize()} pt is small"
        for name, text in zip(named, texts, strict=True)
        if float(text.get_fontsize()) < least - 1e-6
    ]
    messages += [f"{name!r} is source text of mathematics" for name in named if "$\\math" in name]
    for name, corners in zip(named, boxes, strict=True):
        low, up = corners.min(axis=0), corners.max(axis=0)
        if low.min() < -SLACK or up[0] > wide + SLACK or up[1] > high + SLACK:
            messages.append(f"{name!r} leaves the canvas")
    for (name, one), (beside, other) in itertools.combinations(zip(named, boxes, strict=True), 2):
        if overlap(one, other):
            messages.append(f"{name!r} lies on {beside!r}")
    return messages
