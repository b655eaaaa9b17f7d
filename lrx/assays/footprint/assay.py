"""Footprint: what one place of a channel paints in the picture.

P_j = decode(z + s step_j e_site) - decode(z), with one channel at one place of the code of an image shifted by s steps
(`lrx.responses.footprint`). N draws, C channels, O channels of the picture, p pixels of a patch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.statistics import mean_and_se
from lrx.core.types import Array, AssayResult
from lrx.responses.draws import BASES, base_of
from lrx.responses.footprint import Painted, codes_to_paint, painted, pixels_of_place
from lrx.responses.measurement import Measurement
from lrx.responses.paired_sums import PairedSums, sums_of
from lrx.responses.places import fitting_radius, map_shape

MARGIN = 1  # places around the one that is shifted, by default
COLOURS = {1: ["grey"], 3: ["red", "green", "blue"]}
SHARES = {
    "grey": ("1", "share of the squared change that is equal in all channels of the picture"),
    "flat": ("1", "share of the squared change that is even over the pixels of each place"),
    "radius": ("pixel", "root mean square distance of the squared change from the middle of the place"),
}


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the footprint."""

    size: float = setting(1.0, "steps by which a channel is shifted, each its standard deviation", positive=True)
    margin: int | None = setting(
        None, f"places around the shifted one that the patch shows; null: {MARGIN}, or what fits", at_least=0
    )
    num_samples: int = setting(64, "draws, each used by every channel", at_least=2)
    base: str = setting(
        "posterior",
        "source of codes and of values: posterior, images | posterior_sample, draws from posteriors | prior",
        choices=BASES,
    )
    batch_size: int | None = setting(None, "codes per forward pass; null: what fits the memory", at_least=1)


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Measure what one place of each channel paints, in units of the picture, [0, 1] of an image.

    Arrays, each `x` with its standard error `x_se`: patch (C, O, p, p), the mean change around the place; rgb (C, O),
    its mean over the pixels of the place itself, by channel of the picture; strength (C,), root of the squared change
    summed over the picture and averaged over draws; and of this squared change, which unlike the mean of a patch counts
    what differs between draws: grey (C,), the share that is equal in all channels of the picture; flat (C,), the share
    left when the pixels of each place are averaged; radius (C,), the root mean square distance from the middle of the
    place, in pixels. A channel that paints nothing has NaN in these three. step (C,) is the step, on the scale `half`.
    Scores: num_painting (channels that paint something), mean_grey, mean_flat, mean_radius over these.
    """
    shape, base = map_shape(m, "footprint"), base_of(m, settings.base)
    margin = fitting_radius(settings.margin, shape, MARGIN, setting="margin")
    codes = codes_to_paint(m, shape, base=base, num_samples=settings.num_samples, radius=margin)
    pixels = pixels_of_place(m, codes)
    patches, rgb, squares = [], [], PairedSums(shape[0], 4, 3)
    inner = tuple(slice(margin * side, (margin + 1) * side) for side in pixels)
    for channel, what in painted(m, codes, pixels, size=float(settings.size), radius=margin):
        patches.append(mean_and_se(what.patch_NOpp))
        rgb.append(mean_and_se(what.patch_NOpp[:, :, inner[0], inner[1]].mean((2, 3))))
        squares.add(channel, sums_of(_features(what), None))
    colours = patches[0][0].shape[0]
    arrays = {
        **_with_se("patch", _stacked(patches), ("channel", "colour", "dy", "dx"), "intensity", "mean change"),
        **_with_se("rgb", _stacked(rgb), ("channel", "colour"), "intensity", "mean change of the pixels of the place"),
        **_strength(squares),
        **_shares(squares),
        "step": Array(codes.step_C.numpy(), ("channel",), "latent", "root mean square of v - z, normalization half"),
    }
    painting = np.isfinite(arrays["grey"].values)
    means = {f"mean_{name}": float(arrays[name].values[painting].mean()) for name in SHARES if painting.any()}
    return AssayResult(
        arrays=arrays,
        coordinates={
            "channel": np.arange(shape[0]),
            "colour": np.array(COLOURS.get(colours, [str(number) for number in range(colours)])),
            "dy": np.arange(-margin * pixels[0], (margin + 1) * pixels[0]),
            "dx": np.arange(-margin * pixels[1], (margin + 1) * pixels[1]),
        },
        scores={"num_painting": float(painting.sum()), **means},
        settings=stored(
            settings,
            size=float(settings.size),
            margin=margin,
            base=base,
            latent_shape=" x ".join(map(str, shape)),
            pixels_of_place=" x ".join(map(str, pixels)),
            batch_size=m.batch_size,
            remark=None if painting.any() else "no channel changes the picture: its decoder ignores single places",
        ),
    )


def _features(what: Painted) -> Tensor:
    """Return 1, a part of the squared change and all of it, (N, 4, 3), of which the first part is all."""
    all_N4 = what.squares_N4[:, :1].expand(-1, 4)
    return torch.stack([torch.ones_like(all_N4), what.squares_N4, all_N4], dim=-1)


def _strength(squares: PairedSums) -> dict[str, Array]:
    value_C4, se_C4 = squares.root(1.0)
    text = "root of the squared change summed over the picture, root mean square over draws"
    return _with_se("strength", (value_C4[:, 0].numpy(), se_C4[:, 0].numpy()), ("channel",), "intensity", text)


def _shares(squares: PairedSums) -> dict[str, Array]:
    ratio_C4, se_C4 = (x.numpy() for x in squares.ratio())
    arrays: dict[str, Array] = {}
    for number, (name, (unit, text)) in enumerate(SHARES.items(), 1):
        value_C, se_C = ratio_C4[:, number], se_C4[:, number]
        if name == "radius":
            value_C = np.sqrt(value_C)
            se_C = np.divide(se_C, 2 * value_C, out=se_C.copy(), where=value_C > 0)
        arrays |= _with_se(name, (value_C, se_C), ("channel",), unit, text)
    return arrays


def _stacked(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([mean for mean, _ in pairs]), np.stack([se for _, se in pairs])


def _with_se(
    name: str, pair: tuple[np.ndarray, np.ndarray], axes: tuple[str, ...], unit: str, text: str
) -> dict[str, Array]:
    return {
        name: Array(pair[0], axes, unit, text),
        f"{name}_se": Array(pair[1], axes, unit, f"standard error of {name}"),
    }
