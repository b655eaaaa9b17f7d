"""Footprint: change of the decoded picture when one channel at one place of a code is shifted by its step.

P_j = decode(z + s step_j e_site) - decode(z): site is channel j at a random place away from borders, step_j the root
mean square of the difference between images at a site on the scale `half` (their standard deviation), and s a number
of steps. N draws, one image and one place each, C channels, O channels of the picture (H, W), (h, w) places of a code,
each f_y x f_x pixels of the picture; a patch is what 2 radius + 1 places cover.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.core.devices import to_device
from lrx.responses.draws import blocks
from lrx.responses.encoding import eval_mode
from lrx.responses.measurement import Measurement
from lrx.responses.places import inner_places, random_places, windows
from lrx.responses.work_units import Values, WorkUnit

HALF = 0.5  # c of the scale `half`


@dataclass(frozen=True)
class Codes:
    """Codes (N, C, h, w) that are painted with, a place (y, x) of each (N, 2), and the step of each channel (C,)."""

    z_NChw: Tensor
    centres_N2: Tensor
    step_C: Tensor


def codes_to_paint(m: Measurement, shape: tuple[int, int, int], *, base: str, num_samples: int, radius: int) -> Codes:
    """Return codes of `num_samples` draws, with a random place of each at least `radius` from borders."""
    inner, left = inner_places(shape, radius), num_samples
    z_parts, centres, squares, seen = [], [], torch.zeros(shape[0], dtype=torch.float64), 0
    for block in blocks(m.with_units("channel"), base=base):
        places = random_places(inner, block.size, 1, m.generator)[:, 0]
        every = block.draws()  # all of the block, since they are encoded, for a step of less error
        step = (every.values_ND.double() - every.z_ND.double()).view(-1, *shape)
        squares += step.square().mean((2, 3)).sum(0).cpu()
        seen += len(every)
        draws = every.first(left)
        left -= len(draws)
        z_parts.append(draws.z_ND.view(-1, *shape))
        centres.append(places[: len(draws)])
        if left == 0:
            break
    return Codes(torch.cat(z_parts), torch.cat(centres), (HALF * squares / seen).sqrt())


def pixels_of_place(m: Measurement, codes: Codes) -> tuple[int, int]:
    """Return the pixels (f_y, f_x) that a place covers. ValueError where what is decoded has no such places."""
    shape = tuple(next(_decoded(m, codes.z_NChw[:1])).shape[1:])
    places = codes.z_NChw.shape[2:]
    if len(shape) != 3 or shape[1] % places[0] or shape[2] % places[1]:
        raise ValueError(
            f"assay=footprint needs pictures whose sides are multiples of those of the code, {places[0]} x {places[1]} "
            f"places; this model decodes to {shape}"
        )
    return shape[1] // places[0], shape[2] // places[1]


@dataclass(frozen=True)
class Painted:
    """Changes that one channel makes, draw by draw: the patch (N, O, p, p) around its place, and squared changes (N, 4)
    of the whole picture: all, that of the mean over O, that of the mean over each place's pixels, and all times the
    squared distance from the middle of the place."""

    patch_NOpp: Tensor
    squares_N4: Tensor


def painted(
    m: Measurement, codes: Codes, pixels: tuple[int, int], *, size: float, radius: int
) -> Iterator[tuple[int, Painted]]:
    """Yield what each channel paints when it is shifted by `size` steps: C N decodings and N for all."""
    count, channels = codes.z_NChw.shape[:2]
    before = functools.cache(lambda: list(_decoded(m, codes.z_NChw)))

    def evaluate(channel: int) -> Values:
        shifted = codes.z_NChw.clone()
        rows = to_device(torch.arange(count), shifted.device)
        y, x = to_device(codes.centres_N2, shifted.device).unbind(1)
        shifted[rows, channel, y, x] += size * codes.step_C[channel].to(shifted)
        sides = (2 * radius + 1) * pixels[0], (2 * radius + 1) * pixels[1]
        centres = torch.split(codes.centres_N2, m.batch_size)
        patches, squares = [], []
        for after, plain, centres_B2 in zip(_decoded(m, shifted), before(), centres, strict=True):
            change_BOHW = after.double() - plain.double()
            patches.append(windows(change_BOHW, (centres_B2 - radius) * torch.tensor(pixels), sides))
            squares.append(_squares(change_BOHW, centres_B2, pixels))
        return torch.cat(patches), torch.cat(squares)

    units = (
        WorkUnit((channel,), count * (1 + (channel == 0)), functools.partial(evaluate, channel))
        for channel in range(channels)
    )
    total = count * (channels + 1)
    for (channel,), (patch, squares) in m.share.values(
        units, total=total, progress=lambda done: m.progress(done, total)
    ):
        yield channel, Painted(patch, squares)


def _decoded(m: Measurement, z_NChw: Tensor) -> Iterator[Tensor]:
    """Yield batches of decoded pictures of codes, as the model gives them, on the CPU."""
    for z_BChw in torch.split(z_NChw, m.batch_size):
        with eval_mode(m.autoencoder):
            x_B = m.autoencoder.decode(z_BChw.flatten(1)).cpu()
        yield x_B.clone()


def _squares(change_BOHW: Tensor, centres_B2: Tensor, pixels: tuple[int, int]) -> Tensor:
    """Return the squared changes (B, 4) of `Painted`."""
    observed, height, width = change_BOHW.shape[1:]
    squares_BHW = change_BOHW.square().sum(1)
    grey_B = observed * change_BOHW.mean(1).square().sum((1, 2))
    tiles = height // pixels[0], pixels[0], width // pixels[1], pixels[1]
    blocks_BOhw = change_BOHW.reshape(-1, observed, *tiles).mean((3, 5))
    flat_B = pixels[0] * pixels[1] * blocks_BOhw.square().sum((1, 2, 3))
    middle_B2 = centres_B2 * torch.tensor(pixels) + (torch.tensor(pixels) - 1) / 2
    y_BH, x_BW = (
        (torch.arange(side) - middle_B2[:, axis : axis + 1]).square() for axis, side in enumerate((height, width))
    )
    away_B = (squares_BHW * (y_BH[:, :, None] + x_BW[:, None, :])).sum((1, 2))
    return torch.stack([squares_BHW.sum((1, 2)), grey_B, flat_B, away_B], dim=1)
