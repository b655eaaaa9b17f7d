"""Variants of dSprites in colour: a sprite of a random colour, on noise, or on a random patch of a picture.

    color:  o * c,              c uniform in [0.5, 1] of each channel
    noisy:  min(o + n, 1),      n uniform in [0, 1] of each pixel and channel
    scream: 1 - b where o is 1, else b;    b = (patch + c) / 2, c uniform in [0, 1] of each channel

with o the image in {0, 1}. Source: Locatello et al. 2019 (arXiv 1811.12359) and disentanglement_lib, where colours and
noise are drawn anew whenever an image is. Here each image has its own draw, by its index, so that it is the same in
every batch and run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lrx.core.checksum import file_sha256
from lrx.core.paths import expand_user, why_no_file
from lrx.core.validation import SettingError, check_choice
from lrx.data.store.picture_files import readable_endings
from lrx.data.store.pictures import Unreadable, open_picture
from lrx.data.store.pixels import PixelStore

VARIANTS = ("color", "noisy", "scream")
RENDERER = "lrx variants 1"  # to be raised with every change of a pixel
SIDE, CHANNELS = 64, 3
LARGEST = (350, 274)  # width and height that the picture is scaled down to, as in disentanglement_lib
WORD = 8  # bytes of a random word


@dataclass(frozen=True)
class Variant:
    """Variant of dSprites. picture: uint8 (H, W, 3), of scream. words: what identifies it."""

    name: str
    words: str
    picture: np.ndarray | None = None


def open_variant(name: str, picture: str | None) -> Variant:
    """Return the variant of this name; `picture` is the path of scream's, of which patches are taken.

    SettingError for another name, for a picture that is missing, or too small, or given without need; ValueError for
    one that cannot be read; FileNotFoundError.
    """
    check_choice("variant", name, VARIANTS)
    if name != "scream":
        if picture is not None:
            raise SettingError(f"picture is for dataset.variant=scream, and variant is {name}")
        return Variant(name, RENDERER)
    if picture is None:
        raise SettingError(
            "picture must be the path of an image, of which dataset.variant=scream takes patches; disentanglement_lib "
            "takes a photograph of Munch's The Scream"
        )
    path = Path(os.path.realpath(expand_user(picture)))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {why_no_file(path)}; name an image by dataset.picture=...")
    try:
        with open_picture(path.read_bytes(), path.name, formats=tuple({*readable_endings().values()})) as opened:
            colour = opened.convert("RGB")
            colour.thumbnail(LARGEST, Image.Resampling.BICUBIC)
    except (Unreadable, OSError, SyntaxError) as error:
        raise ValueError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    if min(colour.size) < SIDE:
        width, height = colour.size
        raise SettingError(
            f"picture has {width} x {height} pixels within {LARGEST[0]} x {LARGEST[1]}; patches need {SIDE} x {SIDE}"
        )
    return Variant(name, f"{RENDERER}, picture {file_sha256(path)[:12]}", np.asarray(colour))


class VariantPixels:
    """Store of dSprites in colour, composed on demand: uint8 (B, 3, 64, 64)."""

    def __init__(self, pixels: PixelStore, variant: Variant) -> None:
        """Take binary images uint8 (., 1, 64, 64) of 0 and 255."""
        self._pixels, self._variant = pixels, variant
        draws: dict[str, Callable[[np.ndarray, np.random.Philox], np.ndarray]] = {
            "color": _color,
            "noisy": _noisy,
            "scream": self._scream,
        }
        self._draw = draws[variant.name]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._pixels)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return images at indices int64 (B,); the bytes of an image do not depend on its batch."""
        images = np.empty((len(indices), CHANNELS, SIDE, SIDE), dtype=np.uint8)
        for row, (index, shape) in enumerate(zip(indices.tolist(), self._pixels[indices] > 0, strict=True)):
            images[row] = self._draw(shape, np.random.Philox(counter=[0, index, 0, 0], key=0))
        return images

    def _scream(self, shape: np.ndarray, random: np.random.Philox) -> np.ndarray:
        picture = self._variant.picture
        assert picture is not None
        top, left = (_below(size - SIDE + 1, random) for size in picture.shape[:2])
        patch = picture[top : top + SIDE, left : left + SIDE].transpose(2, 0, 1)
        ground = np.rint((patch + 255 * _uniform(CHANNELS, random)[:, None, None]) / 2).astype(np.uint8)
        inverted: np.ndarray = np.where(shape, 255 - ground, ground)
        return inverted


def _color(shape: np.ndarray, random: np.random.Philox) -> np.ndarray:
    colour = np.rint(255 * (0.5 + _uniform(CHANNELS, random) / 2)).astype(np.uint8)
    return shape * colour[:, None, None]


def _noisy(shape: np.ndarray, random: np.random.Philox) -> np.ndarray:
    words: np.ndarray = random.random_raw(math.ceil(CHANNELS * SIDE * SIDE / WORD))
    noise: np.ndarray = words.astype("<u8").view(np.uint8).reshape(CHANNELS, SIDE, SIDE)
    return np.where(shape, np.uint8(255), noise)


def _uniform(count: int, random: np.random.Philox) -> np.ndarray:
    """Return numbers in [0, 1) of 53 bits, from the words of the generator, which no version of numpy changes."""
    numbers: np.ndarray = (random.random_raw(count) >> np.uint64(11)) * 2.0**-53
    return numbers


def _below(limit: int, random: np.random.Philox) -> int:
    return int(_uniform(1, random)[0] * limit)
