"""Equivariance: is a shifted picture a shifted code?

A window W of a picture and the same window s pixels further down (y) or right (x), W_s, show the same scene shifted;
both are true pictures, without filled borders. With q = s / stride = k + f places (k whole, 0 <= f < 1), z = encode(W),
z_s = encode(W_s), z[i] the code at place i along the shift, V the variance of codes over images and places, mean over
channels, and E the mean over images, channels and the inner places:
error(s) = sqrt(E[(z_s[i] - z[i + round q])^2] / V), a shift by whole places, halves down;
interpolated(s) = sqrt(E[(z_s[i] - (1 - f) z[i + k] - f z[i + k + 1])^2] / V);
best(s): the same with the fraction that fits best in place of f, and best_place(s) = k + that fraction;
psnr(s): of decode((1 - f) z[k:] + f z[k + 1:]) against the pixels of the picture from s on, at those pixels that are
inner ones for every shift, mean over images.
N images, S shifts, C channels, B images of a batch.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.assays.equivariance.windows import Windows, any_size, check_windows, windows_of
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.statistics import mean_and_se, ratio_of_means, root_of_ratio
from lrx.core.types import Array, AssayResult
from lrx.core.validation import SettingError, is_whole
from lrx.responses.channels import channel_moments, channel_variance
from lrx.responses.encoding import eval_mode, image_order, observations
from lrx.responses.estimates import Estimate, as_arrays, as_scores
from lrx.responses.finite import why_not_finite
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import Values, WorkUnit

AXES = ("direction", "shift")
DIRECTIONS = ("y", "x")


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the equivariance."""

    shifts: list[int] | None = setting(None, "in pixels, such as [0,4,8,16]; null: up to one place, in 4 steps at most")
    num_images: int = setting(32, "images, drawn from the seed; at most all", at_least=2)
    margin: int | None = setting(
        None, "places at each border that do not count; null: a quarter of them, or as many as leave one", at_least=0
    )
    batch_size: int | None = setting(None, "images per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the shifts."""
        shifts = self.shifts
        if shifts is None:
            return
        if not isinstance(shifts, list | tuple) or not shifts or not all(is_whole(shift, 0) for shift in shifts):
            raise SettingError(f"shifts must be null or a list of whole numbers of pixels, not {shifts!r}")
        if len(set(shifts)) < len(shifts) or max(shifts) == 0:
            raise SettingError(f"shifts must be different numbers of pixels, one of them above 0, not {shifts!r}")


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Compare codes of shifted windows of pictures with shifted codes, and pictures decoded from shifted codes.

    Windows are smaller than the images by the largest shift in whole places, so that the model must take images of
    other sizes. Places within `margin` of a border count in no comparison.
    Arrays (2, S), directions y and x, each with its error `_se` over images: error, interpolated, best, best_place,
    psnr (infinite where each pixel is exact). best and best_place are NaN at whole places.
    Scores, over both directions: error_whole, root mean square over shifts by whole places above 0; error_fraction,
    over fractions of a place; psnr_unshifted, of decoded windows; psnr_loss, what a shift by whole places costs of it.
    SettingError for shifts and margins that leave nothing to compare; ValueError for vectors, images whose sides are
    no multiple of the code's, or a model that takes images of one size only.
    """
    windows = windows_of(m, settings.shifts, settings.margin)
    check_windows(m, windows)
    indices_N = image_order(m.dataset, m.generator)[: settings.num_images]
    shifts = len(windows.shifts)
    total = len(indices_N) * 2 * shifts

    def units() -> Iterator[WorkUnit]:
        for start in range(0, len(indices_N), m.batch_size):
            part = indices_N[start : start + m.batch_size]
            yield WorkUnit((start,), len(part) * 2 * shifts, functools.partial(_evaluate, m, windows, part))

    work = m.share.values(units(), total=total, progress=lambda done: m.progress(done, total))
    mean_NC, within_NC, squares_N2S5, error_N2S = (
        torch.cat(parts) for parts in zip(*(values for _, values in work), strict=True)
    )
    variance_NC = channel_variance(mean_NC, within_NC, m.device_and_dtype.dtype)
    if not variance_NC.any():
        raise ValueError("the codes of all images are the same at all places, so that no shift can be seen in them")
    near_N2S, linear_N2S, from_k_N2S, product_N2S, step_N2S = squares_N2S5.numpy().transpose(3, 0, 1, 2)
    fraction_2S, fraction_se_2S = ratio_of_means(product_N2S, step_N2S)
    # the fraction is the minimum, so that its own error does not count to first order
    best_N2S = from_k_N2S - 2 * fraction_2S * product_N2S + fraction_2S**2 * step_N2S
    places_2S = np.array([[shift / stride for shift in windows.shifts] for stride in windows.stride])
    whole_2S = places_2S == np.floor(places_2S)
    psnr_N2S = (-10 * error_N2S.log10()).numpy()
    spread_N11 = variance_NC.mean(1)[:, None, None]
    estimates = {
        "error": Estimate(*root_of_ratio(near_N2S, spread_N11), "of the code shifted by whole places, over the spread"),
        "interpolated": Estimate(*root_of_ratio(linear_N2S, spread_N11), "of the interpolated code, over the spread"),
        "best": Estimate(*root_of_ratio(best_N2S, spread_N11), "of the interpolation that fits best").where(~whole_2S),
        "best_place": Estimate(
            np.floor(places_2S) + fraction_2S, fraction_se_2S, "shift by the interpolation that fits best", "place"
        ).where(~whole_2S),
        "psnr": Estimate(*mean_and_se(psnr_N2S), "of the picture decoded from the shifted code", "dB"),
    }
    arrays = as_arrays(estimates, AXES)
    arrays["places"] = Array(places_2S, AXES, "place", "shift of the picture")
    moved_2S = whole_2S & (places_2S > 0)
    scores: dict[str, tuple[np.ndarray, np.ndarray]] = {"psnr_unshifted": mean_and_se(psnr_N2S[:, :, 0].mean(1))}
    if moved_2S.any():
        scores["error_whole"] = root_of_ratio(near_N2S[:, moved_2S].mean(1), variance_NC.mean(1))
        with np.errstate(invalid="ignore"):  # exact pixels: infinity less infinity
            scores["psnr_loss"] = mean_and_se(psnr_N2S[:, :, 0].mean(1) - psnr_N2S[:, moved_2S].mean(1))
    if not whole_2S.all():
        scores["error_fraction"] = root_of_ratio(linear_N2S[:, ~whole_2S].mean(1), variance_NC.mean(1))
    return AssayResult(
        arrays=arrays,
        coordinates={"direction": np.array(DIRECTIONS), "shift": np.array(windows.shifts)},
        scores=as_scores(scores),
        settings=stored(
            settings,
            shifts=", ".join(map(str, windows.shifts)),
            num_images=len(indices_N),
            margin=windows.margin,
            window=" x ".join(str(a * b) for a, b in zip(windows.places, windows.stride, strict=True)),
            stride=" x ".join(map(str, windows.stride)),
            batch_size=m.batch_size,
        ),
    )


def _evaluate(m: Measurement, windows: Windows, indices_B: Tensor) -> Values:
    """Return moments of the codes of windows (B, C) twice, mean squares at the inner places (B, 2, S, 5), see
    `_squares`, and mean squared errors (B, 2, S) of the inner pixels of decoded windows."""
    x_B, model = observations(m.autoencoder, m.dataset, indices_B), any_size(m)
    squares, errors = [], []
    with eval_mode(m.autoencoder):
        z_B = model.encode(windows.of_picture(x_B, 0, 0))
        for direction, stride in enumerate(windows.stride):
            for shift in windows.shifts:
                seen_B = model.encode(windows.of_picture(x_B, direction, shift)) if shift else z_B
                place, pixels = divmod(shift, stride)
                fraction = pixels / stride
                from_B = windows.shifted(z_B, direction, place)
                to_B = windows.shifted(z_B, direction, place + 1) if pixels else from_B
                trio = torch.stack([windows.shifted(seen_B, direction, 0), from_B, to_B]).double()
                squares.append(_squares(torch.stack([windows.inner(part_B) for part_B in trio]), fraction))
                y_B = model.decode(torch.lerp(from_B, to_B, fraction))
                picture_B = x_B.narrow(2 + direction, shift, y_B.shape[2 + direction])
                picture_B = picture_B.narrow(3 - direction, 0, y_B.shape[3 - direction])
                difference_B = windows.common_pixels(y_B.double() - picture_B.double(), direction, shift)
                errors.append(difference_B.square().flatten(1).mean(1).cpu())
    if not all(torch.isfinite(values).all() for values in (*squares, *errors)):
        raise ValueError(f"codes or images of the model are not finite: {why_not_finite(m.autoencoder)}")
    shape = (len(x_B), len(windows.stride), len(windows.shifts))
    codes_shape = (z_B.shape[1], *windows.places)
    return (
        *channel_moments(z_B.flatten(1), codes_shape),
        torch.stack(squares, 1).view(*shape, 5),
        torch.stack(errors, 1).view(shape),
    )


def _squares(codes_3B: Tensor, fraction: float) -> Tensor:
    """Return means over channels and places (B, 5), of codes z_s, a at place k and b at k + 1, (3, B, C, h, w): squares
    of z_s less the nearer of a and b, of z_s less their interpolation, of z_s - a, (z_s - a)(b - a), squares of b - a.
    """
    seen_B, from_B, to_B = codes_3B
    moved_B, step_B = seen_B - from_B, to_B - from_B
    near_B = moved_B - step_B if fraction > 0.5 else moved_B
    means = (
        near_B.square(),
        (moved_B - fraction * step_B).square(),
        moved_B.square(),
        moved_B * step_B,
        step_B.square(),
    )
    return torch.stack([part_B.flatten(1).mean(1).cpu() for part_B in means], 1)
