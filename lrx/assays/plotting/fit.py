"""Fit of a figure to a width: axes are scaled and moved until they, with their labels, fill it; the height follows.

Heights of axes are scaled by the factor of their widths where one of them has a fixed aspect, as images have, or the
figure was drawn for another width; otherwise they stay, as rows of text need them.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

HEADING = "heading"  # gid of texts that layout passes over
MARGIN = 0.03  # inches around the outermost ink
LEAST = 0.05  # share of the width that the axes keep beside their labels
GROWTH = 1.25  # of axes at most: a picture of few cells stays small on a wide page
TIMES, CLOSE = 6, 0.004  # passes at most, as labels change with their axes; inches that are close enough


def fit(figure: Figure, width: float, name: str = "picture", *, exact: bool = True) -> None:
    """Make a figure `width` inches wide, and as high as its content.

    Headings (see `heading`) lie between the margins whatever the axes do. exact: ValueError, with the name of the
    picture, where labels take the width; otherwise the figure becomes wider then.
    """
    if not figure.axes:
        figure.set_size_inches(width, figure.get_figheight())
        return
    has_aspect = any(axes.get_aspect() != "auto" for axes in figure.axes)
    keeps_height = not has_aspect and abs(figure.get_figwidth() - width) < CLOSE
    for line in [line for axes in figure.axes for line in axes.lines if not np.size(line.get_xdata())]:
        line.set_in_layout(False)  # a line of no points counts as a mark in the corner of the figure
    grown, around = 1.0, np.zeros(4)
    for turn in range(TIMES):
        size, axes = figure.get_size_inches(), _union(figure)
        # later than in the second turn, labels that come and go with the size of axes keep their room
        around = np.maximum(around * (turn > 1), _labels(figure, axes))
        left, right, top, bottom = around
        scale = min((width - 2 * MARGIN - left - right) / axes.width, GROWTH / grown)
        if scale * axes.width < LEAST * width:
            if exact:
                raise ValueError(f"{name}: labels leave no room at a width of {width:.3g} inches; ask for more")
            width, scale = axes.width + left + right + 2 * MARGIN, 1.0
        grown *= scale
        rise = 1.0 if keeps_height else scale
        height = rise * axes.height + top + bottom + 2 * MARGIN
        for part in figure.axes:
            box = _inches(part.get_position(original=True), size)
            x, y = MARGIN + left + scale * (box.x0 - axes.x0), MARGIN + bottom + rise * (box.y0 - axes.y0)
            part.set_position((x / width, y / height, scale * box.width / width, rise * box.height / height))
        figure.set_size_inches(width, height)
        if max(abs(size[0] - width), abs(size[1] - height), abs(scale - 1) * axes.width) < CLOSE:
            break


def _labels(figure: Figure, axes: Bbox) -> np.ndarray:
    """Return how far labels, bars and headings reach over the box around all axes: left, right, top and bottom."""
    ink = figure.get_tightbbox()
    top = max(ink.y1, _top_of_headings(figure))
    return np.array([axes.x0 - ink.x0, ink.x1 - axes.x1, top - axes.y1, axes.y0 - ink.y0])


def _union(figure: Figure) -> Bbox:
    """Return the box around all axes, without their labels, in inches."""
    size = figure.get_size_inches()
    return Bbox.union([_inches(axes.get_position(original=True), size) for axes in figure.axes])


def _inches(box: Bbox, size: np.ndarray) -> Bbox:
    return Bbox.from_extents(box.x0 * size[0], box.y0 * size[1], box.x1 * size[0], box.y1 * size[1])


def _top_of_headings(figure: Figure) -> float:
    """Return the upper edge of headings in inches, which layout passes over."""
    texts = [text for axes in figure.axes for text in axes.texts if text.get_gid() == HEADING]
    return max((text.get_window_extent().y1 / figure.dpi for text in texts), default=-math.inf)
