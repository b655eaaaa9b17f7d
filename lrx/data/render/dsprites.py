"""dSprites, rendered: three outlines, scaled, turned and moved over a grid of 64 x 64 pixels, in {0, 1}.

A pixel is 1 where its centre lies inside the outline (even-odd rule), without antialiasing. With x to the right and y
downwards in pixels, an outline point (u, v) of a sprite of scale s and orientation a lies at

    x = centre_x + s (u cos a + v sin a),    y = centre_y + s (v cos a - u sin a),

so that orientation turns counterclockwise as seen, position_x moves to the right and position_y downwards.

Factors and order: Matthey, Higgins, Hassabis and Lerchner, dSprites (2017). The outlines are fitted to 160 official
frames; tests/data/test_render_dsprites.py holds them to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, pi, sin

import numpy as np

from lrx.core.factors import FactorSpace

RENDERER = "lrx sprite outlines 1"  # to be raised with every change of a pixel, so that caches are made again
FACTORS = FactorSpace(
    names=("color", "shape", "scale", "orientation", "position_x", "position_y"), sizes=(1, 3, 6, 40, 32, 32)
)
SIDE = 64
CENTRES = 15.5 + 32 * np.arange(32) / 31
SCALES = np.linspace(0.5, 1, 6)
TURN = 39  # orientations 0 and 39 are 0 and 2 pi: the same image


def square() -> np.ndarray:
    """Return corners (4, 2) in pixels at scale 1."""
    return 9.598 * np.array([(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)])


def ellipse() -> np.ndarray:
    """Return points (100, 2) in pixels at scale 1, the long axis horizontal."""
    t = np.linspace(0, 2 * pi, 100, endpoint=False)
    return np.stack([12.7667 * np.cos(t), 7.2151 * np.sin(t)], axis=1)


def heart() -> np.ndarray:
    """Return points (150, 2) in pixels at scale 1, the tip downwards."""
    t = np.linspace(0, 2 * pi, 150, endpoint=False)
    height = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([9.6 * np.sin(t) ** 3, -0.66226 * height - 1.4406], axis=1)


def render_sprites() -> Iterator[np.ndarray]:
    """Yield all 737,280 images in grid order, eight pixels a byte: uint8 (40960, 512) for each shape and scale."""
    for outline in (square(), ellipse(), heart()):
        for scale in SCALES:
            turned = [render_positions(_turned(scale * outline, 2 * pi * step / TURN)) for step in range(TURN)]
            yield np.concatenate([*turned, turned[0]])


def render_positions(outline: np.ndarray) -> np.ndarray:
    """Render an outline (N, 2) within 15 pixels of the origin at all positions, position_y fastest: (1024, 512).

    Each image row is a 64-bit word. An edge that crosses the row at x flips all pixels from x rightwards, so the
    exclusive or of the words of its crossings fills the row.
    """
    x, y = outline.T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    rows = (np.arange(SIDE) - CENTRES[:, None]).reshape(-1, 1)
    row, edge = np.nonzero((y <= rows) != (next_y <= rows))
    along = (rows[row, 0] - y[edge]) / (next_y[edge] - y[edge])
    crossings = x[edge] + along * (next_x[edge] - x[edge])
    first_pixel = np.ceil(crossings + CENTRES[:, None]).astype(np.int64)
    filled, starts = np.unique(row, return_index=True)
    words = np.zeros((len(CENTRES), len(rows)), dtype=">u8")
    words[:, filled] = np.bitwise_xor.reduceat(_FROM_PIXEL[first_pixel], starts, axis=1)
    return words.view(np.uint8).reshape(len(CENTRES) ** 2, SIDE * SIDE // 8)


def _turned(outline: np.ndarray, angle: float) -> np.ndarray:
    """Return the outline turned counterclockwise as seen, y pointing downwards."""
    u, v = outline.T
    return np.stack([u * cos(angle) + v * sin(angle), v * cos(angle) - u * sin(angle)], axis=1)


# Word k has the pixels k, k + 1, ... 63 set, the first pixel being the highest bit.
_FROM_PIXEL = np.array([(1 << (SIDE - k)) - 1 for k in range(SIDE + 1)], dtype=np.uint64)
