"""Hexagonal tiles that texture floor and walls of 3D Shapes.

    brightness(u, v) = 1 - shade(tile) + bevel (cos 2 pi (5u + 8v) + cos 2 pi (5u - 8v) + cos 2 pi 10u)

over a square of period 1 with ten columns of eight tiles, every other column raised by half a tile. The shades and the
bevel are fitted to 25 official images, in which the floor shows the same square as the walls, turned by 90 degrees.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# From the upper row of tiles to the lowest: '#' for a dark tile, '-' for a faint one.
_SQUARE = (
    "..-.......",
    "...-......",
    "#.........",
    "##....-...",
    ".##....--.",
    ".......-..",
    ".......-..",
    "..........",
)
_SHADES = {".": 0.0, "-": 0.013, "#": 0.053}
_BEVEL = 0.01
_FLATNESS = 0.808  # width between columns over height of a tile

_TABLE = np.array([[_SHADES[tile] for tile in row] for row in reversed(_SQUARE)])


def brightness(u: Array, v: Array) -> Array:
    """Return the factor on the light, around 1, at texture coordinates u and v in periods; (...) as they are."""
    rows, columns = _TABLE.shape
    across, up = columns * u, rows * v
    waves = (np.cos(np.pi * (across + 2 * up)), np.cos(np.pi * (across - 2 * up)), np.cos(2 * np.pi * across))
    # The nearest centre is in one of three columns.
    column = np.rint(across) + np.arange(-1, 2).reshape(-1, *[1] * across.ndim)
    raised = up - column % 2 / 2
    row = np.rint(raised)
    nearest = np.hypot(_FLATNESS * (across - column), raised - row).argmin(axis=0)[None]
    tile = [np.take_along_axis(index, nearest, axis=0)[0].astype(np.int64) for index in (row % rows, column % columns)]
    factor: Array = 1 - _TABLE[tuple(tile)] + _BEVEL * sum(waves)
    return factor
