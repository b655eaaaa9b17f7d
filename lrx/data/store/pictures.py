"""Conversion of one picture file to pixels: opened without trust, cropped around its centre, resized.

Resizing is Pillow's bilinear filter, which is antialiased: its triangle is as wide as the step between output pixels.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageColor, ImageOps

from lrx.core.validation import SettingError, is_whole

SQUARE, WHITE, OPAQUE = "square", "white", 255
FILTER, FILTER_NAME = Image.Resampling.BILINEAR, "antialiased bilinear"
GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
DEEP = re.compile(r"(LA|RGB.?|CMYK);16.?")  # how a file has pixels of which Pillow drops the lower 8 bits
ORIENTATION, UPRIGHT, FIRST_LYING = 0x0112, 1, 5  # EXIF 2.32, section 4.6.4: 5 to 8 swap width and height
BROKEN = (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, struct.error)  # decoders'
BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)  # the warning, where it is made an error


class Unreadable(Exception):
    """Picture whose bytes are damaged; the message has its name."""


@dataclass(frozen=True)
class Treatment:
    """Crop and resize of a picture, and the ground below transparent pixels.

    crop: the side in pixels of a square around the centre; "square" for the largest one; None for all of the picture.
    size: the side in pixels that a square is resized to; None for no resizing.
    background: a colour as Pillow names them, that of pixels as far as they are transparent.
    """

    crop: int | str | None
    size: int | None
    background: str = WHITE

    def __post_init__(self) -> None:
        if self.crop not in (None, SQUARE) and not is_whole(self.crop, 1):
            raise SettingError(f"crop must be a number of pixels, square, or null, not {self.crop!r}")
        if self.size is not None and not is_whole(self.size, 1):
            raise SettingError(f"size must be a number of pixels, or null, not {self.size!r}")
        try:
            ImageColor.getrgb(self.background)
        except (ValueError, AttributeError) as error:
            raise SettingError(
                f"background must be a colour such as white, black or '#808080', not {self.background!r}"
            ) from error

    @property
    def words(self) -> str:
        """Description such as "centre crop 148 x 148, antialiased bilinear to 64 x 64"."""
        if isinstance(self.crop, str):
            crop = "largest centred square"
        else:
            crop = "uncropped" if self.crop is None else f"centre crop {self.crop} x {self.crop}"
        return crop + ("" if self.size is None else f", {FILTER_NAME} to {self.size} x {self.size}")

    def box(self, size: tuple[int, int], name: str) -> tuple[int, int, int, int]:
        """Return the part of a picture of this (width, height) to use: left, top, right, bottom."""
        width, height = size
        if self.crop is None:
            if self.size is not None and width != height:
                raise SettingError(
                    f"size={self.size} would distort {name} of {width} x {height} pixels into a square; set "
                    "dataset.crop=square, or to a number of pixels"
                )
            return 0, 0, width, height
        side = min(size) if isinstance(self.crop, str) else self.crop
        if side > min(size):
            raise SettingError(
                f"crop={self.crop} is larger than {name} of {width} x {height} pixels; it can be 1 to {min(size)}"
            )
        left, top = (width - side) // 2, (height - side) // 2
        return left, top, left + side, top + side

    def shape(self, size: tuple[int, int], name: str) -> tuple[int, int]:
        """Return the (height, width) that a picture of this (width, height) is converted to."""
        left, top, right, bottom = self.box(size, name)
        return (bottom - top, right - left) if self.size is None else (self.size, self.size)

    def pixels(self, picture: Image.Image, name: str, *, channels: int) -> np.ndarray:
        """Convert an open picture, the frame it is at, to uint8 (H, W, channels). Unreadable if damaged.

        ValueError for a frame of too many pixels, or pixels of more than 8 bits.
        """
        load(picture, name)
        box = self.box(upright_size(picture), name)
        upright = picture if _orientation(picture) == UPRIGHT else ImageOps.exif_transpose(picture)
        if upright.has_transparency_data:
            ground = Image.new("RGBA", upright.size, ImageColor.getrgb(self.background)[:3])
            upright = Image.alpha_composite(ground, upright.convert("RGBA"))
        cropped = upright.convert("L" if channels == 1 else "RGB").crop(box)
        if self.size is not None:
            cropped = cropped.resize((self.size, self.size), FILTER)
        return np.asarray(cropped).reshape(cropped.height, cropped.width, channels)


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Resize square images uint8 (B, H, H, C), of one channel or three, to (B, size, size, C) as `Treatment` does."""
    if images.shape[1] == size:
        return images
    pixels = np.empty((len(images), size, size, images.shape[3]), dtype=np.uint8)
    for row, image in enumerate(images):
        picture = Image.fromarray(image[..., 0] if images.shape[3] == 1 else image)
        pixels[row] = np.asarray(picture.resize((size, size), FILTER)).reshape(size, size, -1)
    return pixels


@contextmanager
def no_pixel_warnings() -> Iterator[None]:
    """Silence for the block Pillow's warning of too many pixels, which `opened` refuses.

    To be entered in the thread that waits for those that open pictures: filters of warnings belong to the process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


@contextmanager
def open_picture(data: bytes, name: str, *, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Open a picture, of which only the header is read.

    Unreadable when the header is damaged; ValueError when it announces more pixels than any picture of a data set has,
    or pixels of more than 8 bits.
    """
    try:
        picture = Image.open(io.BytesIO(data), formats=formats)
    except BOMBS as error:
        raise ValueError(f"{name} is not opened, its header announces too many pixels: {error}") from error
    except BROKEN as error:
        raise Unreadable(f"{name} is no readable picture ({', '.join(formats)})") from error
    with picture:
        _check_pixels(picture, name)
        yield picture


def _check_pixels(picture: Image.Image, name: str) -> None:
    """Check number and kind of the pixels of the frame that a picture is at; each has its own."""
    num_pixels, limit = picture.width * picture.height, Image.MAX_IMAGE_PIXELS
    if limit is not None and num_pixels > limit:  # up to twice as many, Pillow only warns
        raise ValueError(f"{name} is not opened, its header announces too many pixels: {num_pixels:,} of {limit:,}")
    stored = [tile.args for tile in getattr(picture, "tile", ())]
    words = [word for args in stored for word in (args if isinstance(args, tuple) else (args,))]
    kinds = [word for word in words if isinstance(word, str) and DEEP.fullmatch(word)]
    if kinds or picture.mode not in GREY_MODES + COLOUR_MODES:
        kind = kinds[0] if kinds else picture.mode
        raise ValueError(f"{name} has pixels of the kind {kind}; 8 bits a channel, grey or RGB, are needed")


def load(picture: Image.Image, name: str) -> None:
    """Decode the frame that an open picture is at, before anything else is asked of it. Unreadable if damaged.

    The EXIF notes of a PNG are read after its pixels, and of a damaged one Pillow gives, once it has failed, what it
    decoded so far. ValueError for a frame of too many pixels, or pixels of more than 8 bits.
    """
    _check_pixels(picture, name)
    try:
        picture.load()
    except BROKEN as error:
        raise Unreadable(f"{name} is damaged: {error}") from error


def upright_size(picture: Image.Image) -> tuple[int, int]:
    """Return (width, height) after the picture is turned as its EXIF orientation says."""
    width, height = picture.size
    return (height, width) if _orientation(picture) >= FIRST_LYING else (width, height)


def num_channels(picture: Image.Image) -> int:
    """Return 1 for grey pictures, 3 for others."""
    return 1 if picture.mode in GREY_MODES else 3


def num_frames(picture: Image.Image, name: str) -> int:
    """Return the number of pages or frames; 1 for JPEG, whose further ones are previews.

    Unreadable for a file that is cut; the picture is not to be used then, as Pillow leaves it at another page.
    """
    try:
        return 1 if picture.format in ("JPEG", "MPO") else int(getattr(picture, "n_frames", 1))
    except BROKEN as error:
        raise Unreadable(f"{name} is damaged: its frames cannot be counted ({error})") from error


def is_transparent(picture: Image.Image) -> bool:
    """Return whether a loaded picture has a pixel that is not opaque."""
    if not picture.has_transparency_data:
        return False
    lowest, _ = picture.convert("RGBA").getchannel("A").getextrema()
    return lowest != OPAQUE


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation; upright for unreadable notes, and for TIFF, which Pillow turns by itself."""
    if picture.format == "TIFF":
        return UPRIGHT
    try:
        return int(picture.getexif().get(ORIENTATION, UPRIGHT))
    except (*BROKEN, TypeError):
        return UPRIGHT
