"""Windows of pictures at several shifts, and the places of their codes that compare; see `lrx.assays.equivariance`.

B images of a batch, C channels, h x w places of the code of a window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.core.flat_codes import FlatCodes
from lrx.core.foreign_code import is_out_of_memory
from lrx.core.text import one_line
from lrx.core.types import Autoencoder
from lrx.core.validation import SettingError
from lrx.responses.encoding import eval_mode, observations
from lrx.responses.measurement import Measurement

STEPS = 4  # shifts within one place, at most, by default


@dataclass(frozen=True)
class Windows:
    """Windows of pictures, by direction: 0 down (y), 1 to the right (x).

    shifts: in pixels, ascending from 0. stride: pixels of a place, in y and x. places: of the code of a window. extra:
    places by which a picture is larger, those of the largest shift. margin: places at each border that do not count.
    """

    shifts: tuple[int, ...]
    stride: tuple[int, int]
    places: tuple[int, int]
    extra: tuple[int, int]
    margin: int

    def of_picture(self, x_B: Tensor, direction: int, shift: int) -> Tensor:
        """Return the window (B, C, H, W) of pictures that begins so many pixels down or to the right."""
        top, left = (shift, 0) if direction == 0 else (0, shift)
        height, width = (places * stride for places, stride in zip(self.places, self.stride, strict=True))
        return x_B[:, :, top : top + height, left : left + width].clone(memory_format=torch.contiguous_format)

    def shifted(self, z_BChw: Tensor, direction: int, place: int) -> Tensor:
        """Return the codes from a place on, `extra` places fewer along the direction, so that every shift has them."""
        length = self.places[direction] - self.extra[direction]
        return z_BChw.narrow(2 + direction, place, length)

    def inner(self, values_BChw: Tensor) -> Tensor:
        """Return the places that are further than the margin from each border."""
        height, width = values_BChw.shape[2:]
        return values_BChw[:, :, self.margin : height - self.margin, self.margin : width - self.margin]

    def common_pixels(self, values_BCHW: Tensor, direction: int, shift: int) -> Tensor:
        """Return the pixels of a decoded window that are further than the margin from each border, and that windows
        decoded at every shift show."""
        for axis, stride in enumerate(self.stride):
            start = self.margin * stride + (self.shifts[-1] - shift if axis == direction else 0)
            cut = 2 * self.margin * stride + (self.shifts[-1] if axis == direction else 0)
            values_BCHW = values_BCHW.narrow(2 + axis, start, values_BCHW.shape[2 + axis] - cut)
        return values_BCHW


def windows_of(m: Measurement, shifts: Sequence[int] | None, margin: int | None) -> Windows:
    """Return the windows that the settings ask for. SettingError for shifts and margins that leave nothing to
    compare; ValueError for codes that are vectors, and images whose sides are no multiple of those of their codes."""
    if len(m.latent_shape) == 1:
        raise ValueError(
            f"assay=equivariance shifts codes (channel, y, x), and those of this model are vectors of {m.num_latents}"
        )
    sides, places = m.dataset.observation_shape[1:], m.latent_shape[1:]
    if len(sides) != 2 or any(side % place for side, place in zip(sides, places, strict=True)):
        raise ValueError(
            "assay=equivariance needs images whose sides are multiples of those of their codes, "
            f"not {_by(sides)} pixels and {_by(places)} places"
        )
    stride = (sides[0] // places[0], sides[1] // places[1])
    chosen = sorted({0, *(range(0, max(stride) + 1, math.ceil(max(stride) / STEPS)) if shifts is None else shifts)})
    if shifts is None:
        chosen = sorted({*chosen, max(stride)})
    extra = (-(-chosen[-1] // stride[0]), -(-chosen[-1] // stride[1]))
    room = min((place - 3 * more - 1) // 2 for place, more in zip(places, extra, strict=True))
    margin = max(0, min(min(places) // 4, room)) if margin is None else margin
    if margin > room:
        name = f"margin must be at most {room}" if room >= 0 else "shifts must be smaller"
        raise SettingError(
            f"{name}: codes of {_by(places)} places, a margin of {margin} and shifts up to {chosen[-1]} pixels "
            f"({_by(stride)} a place) leave nothing to compare"
        )
    inner = (places[0] - extra[0], places[1] - extra[1])
    return Windows(tuple(chosen), stride, inner, extra, margin)


def check_windows(m: Measurement, windows: Windows) -> None:
    """Encode and decode a window of the first image. ValueError in one line where the model takes no windows."""
    model, sizes = any_size(m), [_by(windows.places)]
    x_B = observations(m.autoencoder, m.dataset, torch.zeros(1, dtype=torch.int64))
    try:
        with eval_mode(m.autoencoder):
            z_B = model.encode(windows.of_picture(x_B, 0, 0))
            sizes.append(_by(z_B.shape[2:]))
            y_shapes = [model.decode(windows.shifted(z_B, direction, 0)).shape[2:] for direction in (0, 1)]
    except (RuntimeError, ValueError, AssertionError) as error:
        if is_out_of_memory(error):
            raise
        raise ValueError(f"{_REFUSED}: {type(error).__name__}: {one_line(str(error))}") from error
    if sizes[0] != sizes[1]:
        raise ValueError(f"{_REFUSED}: codes of {sizes[1]} places came where {sizes[0]} are due")
    for direction, shape in enumerate(y_shapes):
        due = [
            (places - (windows.extra[axis] if axis == direction else 0)) * windows.stride[axis]
            for axis, places in enumerate(windows.places)
        ]
        if list(shape) != due:
            raise ValueError(f"{_REFUSED}: images of {_by(shape)} pixels came where {_by(due)} are due")


_REFUSED = "assay=equivariance compares parts of images, and this model takes images of one size only"


def any_size(m: Measurement) -> Autoencoder:
    """Return the model behind the flat codes, whose codes (B, C, h, w) may have any number of places."""
    assert isinstance(m.autoencoder, FlatCodes)
    return m.autoencoder.model


def _by(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))
