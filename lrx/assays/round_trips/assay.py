"""Round trips: how codes of images drift when they are decoded and encoded again and again.

z_0 = encode(x), x_t = decode(z_{t-1}), z_t = encode(x_t) = h^t(z_0). With V the variance of codes, over images and
places, mean over channels, and E the mean over images and elements of a code:
drift_t = sqrt(E[(z_t - z_0)^2] / V), step_t = sqrt(E[(z_t - z_{t-1})^2] / V), psnr_t = E[-10 log10 mean (x_t - x)^2].
N images, T trips, C channels (of codes (C, h, w); each latent of a vector), D elements of a code.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.statistics import mean_and_se, ratio_of_means, root_of_ratio
from lrx.core.types import Array, AssayResult
from lrx.core.validation import SettingError
from lrx.responses.channels import channel_axis, channel_means, channel_moments, channel_variance
from lrx.responses.encoding import eval_mode, image_order, observations
from lrx.responses.estimates import Estimate, as_arrays, as_scores
from lrx.responses.finite import why_not_finite
from lrx.responses.measurement import Measurement
from lrx.responses.stored_observations import as_stored, observation_axes, observation_unit
from lrx.responses.work_units import Values, WorkUnit

PICTURE_AXES = ("colour", "height", "width")


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the round trips."""

    num_images: int = setting(32, "images, drawn from the seed; at most all", at_least=2)
    trips: int = setting(8, "decodings and encodings, one after another", at_least=2)
    clamp: bool = setting(
        False, "cut decoded pixels to [0, 1] before they are encoded again; false: as the decoder gives them"
    )
    shown: int = setting(3, "images that are stored and drawn after each trip", at_least=1)
    batch_size: int | None = setting(None, "images per forward pass; null: what fits the memory", at_least=1)


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Send images on `trips` round trips, and compare codes and images with those they began as.

    Arrays, each but the last with its error `_se` over images: drift, step (T,), drift_by_channel (T, C), of vectors
    drift_by_latent, each channel over its own standard deviation (infinite for one that is constant in images and
    moves); psnr (T,) in dB, infinite where each pixel is exact, of vectors relative_error (T,), the squared error over
    the variance; images after each trip.
    Scores: first_drift, last_drift; remaining_step, step_T / step_1: 0 for an idempotent loop; first_psnr, last_psnr
    (or first_error, last_error); outside, of images: the share of pixels that decode outside [0, 1] at the first trip.
    SettingError for `clamp` with vectors; ValueError for fewer than 2 images, codes that are the same for all images,
    or values that are not finite.
    """
    are_images = len(m.dataset.observation_shape) == 3
    if settings.clamp and not are_images:
        raise SettingError(f"clamp=true cuts pixels to [0, 1], and {m.dataset.name} has vectors; leave it out")
    indices_N = image_order(m.dataset, m.generator)[: settings.num_images]
    if len(indices_N) < 2:
        raise ValueError(f"assay=round_trips compares drift with the spread of codes, and {m.dataset.name} has 1 image")
    shown, total = min(settings.shown, len(indices_N)), settings.trips * len(indices_N)
    work = m.share.values(
        _units(m, settings, indices_N, shown), total=total, progress=lambda done: m.progress(done, total)
    )
    mean_NC, within_NC, drift_NTC, step_NTC, error_NT, outside_N, images = (
        torch.cat(parts) for parts in zip(*(values for _, values in work), strict=True)
    )
    variance_NC = channel_variance(mean_NC, within_NC, m.device_and_dtype.dtype)
    if not variance_NC.any():
        raise ValueError("the codes of all images are the same, so that there is no spread to compare their drift with")
    variance_N11 = variance_NC.mean(1)[:, None]
    axis, pictures = channel_axis(m.latent_shape), as_stored(images.flatten(0, 1)).reshape(images.shape)
    over_spread = "over the spread of codes"
    drift, step = root_of_ratio(drift_NTC.mean(2), variance_N11), root_of_ratio(step_NTC.mean(2), variance_N11)
    quality = "psnr" if are_images else "relative_error"
    estimates = {
        "drift": Estimate(*drift, f"distance from the code before the first trip, {over_spread}"),
        "step": Estimate(*step, f"distance from the code before this trip, {over_spread}"),
        f"drift_by_{axis}": Estimate(*root_of_ratio(drift_NTC, variance_NC[:, None]), f"drift of each {axis}"),
        quality: _psnr(error_NT) if are_images else _relative_error(m, indices_N, error_NT),
    }
    arrays = as_arrays(estimates, ("trip", axis))
    # `channel` is the axis of codes here
    picture_axes = ("image", "trips", *(PICTURE_AXES if are_images else observation_axes(pictures[0, 0])))
    arrays["images"] = Array(pictures, picture_axes, observation_unit(pictures[0, 0]), "images after 0 to T trips")
    scores = {
        f"{word}_{name}": (estimates[array].value[trip], estimates[array].se[trip])
        for name, array in (("drift", "drift"), ("psnr" if are_images else "error", quality))
        for word, trip in (("first", 0), ("last", -1))
    }
    scores["remaining_step"] = root_of_ratio(step_NTC[:, -1].mean(1), step_NTC[:, 0].mean(1))
    return AssayResult(
        arrays=arrays,
        coordinates={
            "trip": np.arange(1, settings.trips + 1),
            "trips": np.arange(settings.trips + 1),
            "image": indices_N[:shown].numpy(),
        },
        scores=as_scores(scores) | ({"outside": float(outside_N.mean())} if are_images else {}),
        settings=stored(settings, num_images=len(indices_N), shown=shown, batch_size=m.batch_size),
    )


def _psnr(error_NT: Tensor) -> Estimate:
    """Peak signal-to-noise ratio, mean over images, from mean squared errors (N, T) of pixels in [0, 1]."""
    description = "peak signal-to-noise ratio of the decoded image, mean over images"
    return Estimate(*mean_and_se(-10 * error_NT.log10()), description, "dB")


def _relative_error(m: Measurement, indices_N: Tensor, error_NT: Tensor) -> Estimate:
    """Mean squared error (N, T) over the variance of the observations, which are vectors."""
    x_NP = observations(m.autoencoder, m.dataset, indices_N).flatten(1).cpu().double()
    variance_N1 = (x_NP - x_NP.mean(0)).square().mean(1, keepdim=True)
    return Estimate(
        *ratio_of_means(error_NT, variance_N1), "squared error of the decoded vector over the variance of vectors"
    )


def _units(m: Measurement, settings: Settings, indices_N: Tensor, shown: int) -> Iterator[WorkUnit]:
    """Yield the batches of images as work units, with their first image as key."""
    for start in range(0, len(indices_N), m.batch_size):
        part = indices_N[start : start + m.batch_size]
        evaluate = functools.partial(_evaluate, m, part, settings, min(len(part), max(0, shown - start)))
        yield WorkUnit((start,), settings.trips * len(part), evaluate)


def _evaluate(m: Measurement, indices_B: Tensor, settings: Settings, shown: int) -> Values:
    """Return moments of the codes (B, C) twice, squares of drift and step (B, T, C), squared errors (B, T), shares of
    pixels outside [0, 1] (B,), and the first images after each trip."""
    model, shape = m.autoencoder, m.latent_shape
    x_B = observations(model, m.dataset, indices_B)
    drifts, steps, errors, images = [], [], [], [x_B[:shown]]
    outside_B = torch.zeros(len(x_B))
    with eval_mode(model):
        first_BD = z_BD = model.encode(x_B)
        for trip in range(settings.trips):
            y_B = model.decode(z_BD)
            if y_B.shape != x_B.shape:
                raise ValueError(f"decode gives {tuple(y_B.shape)} where the observations are {tuple(x_B.shape)}")
            if trip == 0:
                outside_B = ((y_B < 0) | (y_B > 1)).double().flatten(1).mean(1).cpu()
            y_B = y_B.clamp(0, 1) if settings.clamp else y_B
            h_BD = model.encode(y_B)
            drifts.append(channel_means((h_BD.double() - first_BD.double()).square(), shape))
            steps.append(channel_means((h_BD.double() - z_BD.double()).square(), shape))
            errors.append((y_B.double() - x_B.double()).square().flatten(1).mean(1).cpu())
            images.append(y_B[:shown])
            z_BD = h_BD
    if not torch.isfinite(z_BD).all():
        raise ValueError(f"the codes after {settings.trips} trips are not finite: {why_not_finite(model)}")
    both = torch.stack(images, dim=1).float().cpu()
    return (
        *channel_moments(first_BD, shape),
        torch.stack(drifts, 1),
        torch.stack(steps, 1),
        torch.stack(errors, 1),
        outside_B,
        both,
    )
