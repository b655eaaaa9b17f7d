"""Infinite dSprites: random outlines that are scaled, turned and moved, drawn when they are asked for.

Dziadzio, Yıldız, van de Ven, Trzciński, Tuytelaars and Bethge, "Infinite dSprites for Disentangled Continual Learning",
CoLLAs 2024 (arXiv 2312.16731). The authors' package `idsprites` draws the images; ranges of factors are its defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import ImageColor

from lrx.core.checksum import sha256
from lrx.core.factors import FactorSpace
from lrx.core.text import one_line
from lrx.core.validation import SettingError, check_whole
from lrx.data.grid import GridDataset

if TYPE_CHECKING:
    from idsprites import InfiniteDSprites

NAME = "idsprites"
LARGEST_SEED = (1 << 32) - 1  # that numpy's legacy generator takes, which the package draws outlines by


def idsprites(
    *,
    shapes: int,
    colors: Sequence[str],
    scales: int,
    orientations: int,
    positions: int,
    marker: bool,
    size: int,
    seed: int,
) -> GridDataset:
    """Return images (3, size, size) over shape, color, scale, orientation, position_x and position_y.

    shapes: random outlines. colors: of the sprite, as Pillow names them, on dark grey. scales, orientations, positions
    (in x and in y): numbers of values. marker: whether one half of the sprite is black, which shows its orientation.
    seed: of the outlines, 0 to 2**32 - 1; with more shapes, the first ones stay.
    ValueError for settings out of range, and without the extra `idsprites`.
    """
    counts = {"shapes": shapes, "scales": scales, "orientations": orientations, "positions": positions, "size": size}
    for name, value in counts.items():
        check_whole(name, value, 1)
    check_whole("seed", seed, 0)
    if seed > LARGEST_SEED:
        raise SettingError(f"seed must be at most {LARGEST_SEED}, not {seed}")
    if not isinstance(marker, bool):
        raise SettingError(f"marker must be true or false, not {marker!r}")
    rgb = [_rgb(color) for color in colors] if not isinstance(colors, str) else []
    if not rgb:
        raise SettingError(f"colors must be a list of one or more, as in [white,red], not {colors!r}")
    drawer = _drawer(shapes, marker, size, seed)
    sizes = (shapes, len(rgb), scales, orientations, positions, positions)
    factors = FactorSpace(("shape", "color", "scale", "orientation", "position_x", "position_y"), sizes)
    pixels = DrawnPixels(drawer, factors, rgb)
    words = f"drawn by idsprites {version(NAME)}, seed {seed}{'' if marker else ', without marker'}"
    firsts = np.arange(shapes) * (factors.num_points // shapes)  # of each shape, which tell a drawing from another
    identity = repr((words, sizes, rgb, size)).encode() + pixels[firsts].tobytes()
    outlines = np.stack(drawer.shapes).astype("<f8").tobytes()
    dataset = GridDataset(
        name=NAME, source=words, fingerprint=sha256(identity + outlines), factors=factors, pixels=pixels
    )
    dataset.class_names = {"color": tuple(colors)}
    return dataset


class DrawnPixels:
    """Store of images that are drawn on demand: uint8 (B, 3, size, size); 0.2 ms an image."""

    def __init__(self, drawer: InfiniteDSprites, factors: FactorSpace, rgb: Sequence[tuple[int, ...]]) -> None:
        """Take the values of each factor: those of the package, for as many as there are."""
        _, _, scales, orientations, positions, _ = factors.sizes
        self._drawer, self._factors = drawer, factors
        self._colors = np.array(rgb) / 255
        self._scales = np.linspace(0.5, 1, scales)
        self._angles = np.linspace(0, 2 * np.pi * orientations / (orientations + 1), orientations)
        self._places = np.linspace(0, 1, positions)

    def __len__(self) -> int:
        """Return the number of images."""
        return self._factors.num_points

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return images at indices int64 (B,)."""
        side = self._drawer.img_size
        images = np.empty((len(indices), 3, side, side), dtype=np.uint8)
        for row, classes in enumerate(self._factors.classes(torch.from_numpy(indices)).tolist()):
            shape, color, scale, orientation, x, y = classes
            values = _Values(
                self._drawer.shapes[shape],
                self._colors[color],
                float(self._scales[scale]),
                float(self._angles[orientation]),
                float(self._places[x]),
                float(self._places[y]),
            )
            images[row] = np.rint(255 * self._drawer.draw(values))
        return images


class _Values(NamedTuple):
    """Values of the factors of one image, as the package draws it."""

    shape: np.ndarray
    color: np.ndarray
    scale: float
    orientation: float
    position_x: float
    position_y: float


def _drawer(shapes: int, marker: bool, size: int, seed: int) -> InfiniteDSprites:
    """Return the package's data set of these random outlines; its generator is the global one, which is put back."""
    try:
        from idsprites import InfiniteDSprites
    except ImportError as error:
        raise ValueError(
            f"dataset=idsprites needs the package idsprites: pip install 'lrx[idsprites]' ({one_line(str(error))})"
        ) from error
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(seed)  # noqa: NPY002
        return InfiniteDSprites(img_size=size, shapes=shapes, orientation_marker=marker)
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _rgb(color: str) -> tuple[int, ...]:
    try:
        return ImageColor.getrgb(color)[:3]
    except (ValueError, AttributeError) as error:
        raise SettingError(f"colors must be names such as white, red or '#808080', not {color!r}") from error
