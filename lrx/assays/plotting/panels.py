"""Panels of equal size in rows, as many in a row as the width has room for."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

LEAST = 1.9  # inches of a panel with its labels
LEFT, BELOW = 0.55, 0.5  # inches of the labels of a panel

Box = tuple[float, float, float, float]  # left, bottom, width and height in inches


def panel_boxes(count: int, width: float, high: float | None, *, least: float = LEAST) -> tuple[list[Box], float]:
    """Return boxes of panels `high` inches high for a width, the first at the top, and the height of all of them.

    high: None for squares. least: inches of a panel with its labels.
    """
    columns = max(1, min(count, int(width / least)))
    rows, wide = -(-count // columns), width / columns - LEFT
    high = wide if high is None else high
    total = rows * (high + BELOW)
    places = [divmod(number, columns) for number in range(count)]
    return [
        (LEFT + column * (wide + LEFT), total - row * (high + BELOW) - high, wide, high) for row, column in places
    ], total


def add_panel(figure: Figure, box: Box, size: tuple[float, float], *, above: float = 0) -> Axes:
    """Add axes in a box, moved up by some inches, to a figure of this size in inches."""
    left, bottom, wide, high = box
    return figure.add_axes((left / size[0], (bottom + above) / size[1], wide / size[0], high / size[1]))
