"""Images of 3D Shapes composed on demand from the coefficient maps of its geometries.

    image[c, y, x] = clip(floor[level(c)] + wall[level(c)] + object[level(c)] + sky[c]),    each a map over (y, x)

Light is linear until it saturates, and every colour channel of a hue takes one of six values, so what a material adds
to a channel, saturation included, is one stored map per value. The sum of four maps is then exact even where materials
meet inside a pixel, and the 5.9 GB of images need never exist on disk.
"""

import numpy as np
import numpy.typing as npt

from lrx.data.render.shapes3d import FLOOR, HUE_LEVELS, NUM_GEOMETRIES, NUM_MAPS, OBJECT, SKY, UNITS, WALL

_ROWS = 24  # rows of pixels summed at once: two int16 blocks of 24 x 4096 stay in a core's cache


class ComposedPixels:
    """Store of the 480,000 images of 3D Shapes, composed on demand; the last factor is fastest.

    Args:
        maps: (480, NUM_MAPS, H, W) int16 in 1 / UNITS of a grey level, from `render_geometries`; may be a `np.memmap`.

    Raises:
        ValueError: if `maps` has another shape or type.
    """

    def __init__(self, maps: npt.NDArray[np.int16]) -> None:
        if maps.ndim != 4 or maps.shape[:2] != (NUM_GEOMETRIES, NUM_MAPS) or maps.dtype != np.int16:
            wanted = f"({NUM_GEOMETRIES}, {NUM_MAPS}, H, W) int16"
            raise ValueError(f"coefficient maps are {maps.shape} {maps.dtype}, expected {wanted}")
        self.maps = maps

    def __len__(self) -> int:
        """Return 480,000."""
        return len(HUE_LEVELS) ** 3 * NUM_GEOMETRIES

    def __getitem__(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Compose images; integers only, so the bytes of an image do not depend on its batch.

        Args:
            indices: (B,) int64 in [0, 480000).

        Returns:
            (B, 3, H, W) uint8.

        Raises:
            IndexError: if an index is outside the grid.
        """
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise IndexError(f"indices span [{indices.min()}, {indices.max()}], expected [0, {len(self)})")
        height, width = self.maps.shape[2:]
        table = np.asarray(self.maps).reshape(-1, height * width)
        terms = _terms(indices)
        images = np.empty((len(terms), height * width), np.uint8)
        total, term = np.empty((2, _ROWS, height * width), np.int16)
        for start in range(0, len(terms), _ROWS):
            rows = terms[start : start + _ROWS]
            some, other = total[: len(rows)], term[: len(rows)]
            np.take(table, rows[:, 0], axis=0, out=some, mode="clip")  # "raise" would buffer the output
            for column in range(1, rows.shape[1]):
                np.take(table, rows[:, column], axis=0, out=other, mode="clip")
                some += other
            some += UNITS // 2
            some //= UNITS
            np.clip(some, 0, 255, out=some)
            images[start : start + _ROWS] = some
        return images.reshape(len(indices), 3, height, width)


def _terms(indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the rows of the map table to add, (B * 3, 4), for every image and channel."""
    colour, geometry = np.divmod(indices, NUM_GEOMETRIES)
    hues = len(HUE_LEVELS)
    floor, wall, body = colour // hues**2, colour // hues % hues, colour % hues
    sky = np.broadcast_to(SKY + np.arange(3), (len(indices), 3))
    maps = np.stack([FLOOR + HUE_LEVELS[floor], WALL + HUE_LEVELS[wall], OBJECT + HUE_LEVELS[body], sky], axis=-1)
    rows: npt.NDArray[np.int64] = (geometry[:, None, None] * NUM_MAPS + maps).reshape(-1, 4)
    return rows
