"""Places of a code with a shape: those away from borders, windows around them, and distances from them.

Distance is the larger of those along y and x, so that the places within a distance are a square. N draws, P places of
each, C channels, (h, w) places of a code, k = 2 radius + 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.core.validation import SettingError, check_whole
from lrx.responses.measurement import Measurement


def map_shape(m: Measurement, assay: str) -> tuple[int, int, int]:
    """Return the shape (C, h, w) of a code. ValueError for a model whose codes are vectors."""
    if len(m.latent_shape) != 3:
        raise ValueError(
            f"assay={assay} needs codes (channel, y, x), and those of this model are vectors of {m.num_latents}; "
            "assay=response_matrix measures those"
        )
    channels, height, width = m.latent_shape
    return channels, height, width


def fitting_radius(radius: int | None, shape: tuple[int, int, int], default: int, *, setting: str = "radius") -> int:
    """Return the radius of a window that fits around some place; None for `default`, or what fits where that does not.

    SettingError, of the setting of this name, for one that does not fit.
    """
    most = (min(shape[1:]) - 1) // 2
    if radius is not None and radius > most:
        raise SettingError(
            f"{setting} must be at most {most} for codes of {shape[1]} x {shape[2]} places, not {radius}; "
            "larger images have more places"
        )
    return min(default, most) if radius is None else radius


def inner_places(shape: tuple[int, int, int], radius: int) -> Tensor:
    """Return the places (y, x) at least `radius` away from the borders, int64 (places, 2)."""
    return torch.cartesian_prod(*(torch.arange(radius, size - radius) for size in shape[1:])).view(-1, 2)


def check_places(places: int, shape: tuple[int, int, int], radius: int) -> None:
    """Check the number of places of each draw. SettingError where there are fewer at this radius."""
    available = len(inner_places(shape, radius))
    check_whole("places", places, 1)
    if places > available:
        raise SettingError(
            f"places must be at most {available}, those of {shape[1]} x {shape[2]} at least {radius} from the borders, "
            f"not {places}"
        )


def random_places(inner_x2: Tensor, count: int, places: int, generator: torch.Generator) -> Tensor:
    """Return for each of `count` draws some different places of these, int64 (count, places, 2)."""
    order = torch.rand(count, len(inner_x2), generator=generator, dtype=torch.float64).argsort(1)
    return inner_x2[order[:, :places]]


def distances(centres_N2: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return the distance of every place from a centre of each draw, int64 (N, h, w)."""
    y_Nh, x_Nw = ((torch.arange(size) - centres_N2[:, axis : axis + 1]).abs() for axis, size in enumerate(shape[1:]))
    return torch.maximum(y_Nh[:, :, None], x_Nw[:, None, :])


def windows(values_NChw: Tensor, corners_N2: Tensor, sides: tuple[int, int]) -> Tensor:
    """Return the part (N, C, *sides) of maps that begins at a corner (y, x) of each draw."""
    y_Nk, x_Nk = (corners_N2[:, axis, None] + torch.arange(side) for axis, side in enumerate(sides))
    draw = torch.arange(len(values_NChw))[:, None, None]
    return values_NChw.movedim(1, -1)[draw, y_Nk[:, :, None], x_Nk[:, None, :]].movedim(-1, 1)
