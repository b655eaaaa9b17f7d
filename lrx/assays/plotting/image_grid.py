"""Observations of results in pictures: grids of images, and vectors as lines."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from lrx.assays.plotting import style


def is_image(array: np.ndarray) -> bool:
    """Return whether an array (..., C, H, W) of a result holds images: uint8 are pixels."""
    return bool(array.dtype == np.uint8)


def sheet(images: np.ndarray, *, gap: int = 2) -> np.ndarray:
    """Join images uint8 (rows, columns, C, H, W) to one picture (height, width, 3), with white gaps of `gap` pixels.

    One channel is grey; of other numbers of channels than three, the first is shown.
    """
    rows, columns, channels, height, width = images.shape
    shown = images if channels == 3 else np.repeat(images[:, :, :1], 3, axis=2)
    picture = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + gap), column * (width + gap)
            picture[top : top + height, left : left + width] = shown[row, column].transpose(1, 2, 0)
    return picture


def show_sheet(axes: Axes, images: np.ndarray, *, gap: int = 2) -> None:
    """Draw a grid of images (rows, columns, C, H, W), the first row on top, without ticks or frame."""
    axes.imshow(sheet(images, gap=gap), interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def show_lines(axes: Axes, where: np.ndarray, vectors: np.ndarray) -> None:
    """Draw vectors (steps, P) against `where` (steps,), one line a component, in shades from dark to light."""
    shades = colormaps[style.SEQUENTIAL](np.linspace(0, 0.85, vectors.shape[1]))
    for component, shade in enumerate(shades):
        axes.plot(where, vectors[:, component], color=shade, linewidth=1)
