"""Walks along units of a code: the values that they take, what is decoded and read on them, and which columns move.

I images, W walks, S steps, D latents, P columns of a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from lrx.core.statistics import mean_and_se
from lrx.core.types import Array
from lrx.responses.encoding import encode_images
from lrx.responses.latent_response import intervene, respond
from lrx.responses.measurement import Measurement
from lrx.responses.stored_observations import decoded
from lrx.responses.units import Units

SPREAD_IMAGES = 256  # on which mean and standard deviation of codes of a map are taken, at most


def centre_and_spread(m: Measurement, order: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the values of a walk are relative to: 0 and 1 (D,) of a vector, mean and standard deviation of each
    latent over images of codes of a map, whose scales are their own. ValueError for latents that do not vary."""
    if len(m.latent_shape) == 1:
        return torch.zeros(m.num_latents, dtype=torch.float64), torch.ones(m.num_latents, dtype=torch.float64)
    codes_ND = encode_images(m.autoencoder, m.dataset, order[:SPREAD_IMAGES], batch_size=m.batch_size).double().cpu()
    spread_D = codes_ND.std(0, correction=0)
    if not bool((spread_D > 0).all()):
        raise ValueError("the codes of some latents are the same for all images, so no walk along them has a scale")
    return codes_ND.mean(0), spread_D


def walk(
    m: Measurement, codes_ID: Tensor, members: Sequence[Tensor], targets_SD: Tensor, *, progress: Callable[[int], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Return decoded observations (I, W, S, ...) and responses (I, W, S, D) where the latents int64 (m,) of each walk
    are set to each of the values that targets (S, D) have for them.

    progress: called with the number of points that are done.
    """
    images, steps = len(codes_ID), len(targets_SD)
    values_ND = targets_SD.to(codes_ID).repeat(images, 1)
    observations, responses = [], []
    for number, latents in enumerate(members):
        z_ND = intervene(codes_ID.repeat_interleave(steps, 0), latents, values_ND[:, latents])
        x_N = decoded(m.autoencoder, z_ND, batch_size=m.batch_size)
        observations.append(x_N.reshape(images, steps, *x_N.shape[1:]))
        h_ND = respond(m.autoencoder, z_ND, batch_size=m.batch_size)
        responses.append(h_ND.double().cpu().numpy().reshape(images, steps, m.num_latents))
        progress(images * steps * (number + 1))
    return np.stack(observations, axis=1), np.stack(responses, axis=1)


def moved_arrays(walks: np.ndarray, values_WS: np.ndarray) -> dict[str, Array]:
    """Return how much each column of a vector moves with each walked unit, `moved` and `moved_se` (W, P): the slope of
    the column over the value, and its standard error over images (NaN of a single one); nothing of images."""
    if walks.ndim != 4:
        return {}
    slope_IWP = slope_over(walks.astype(np.float64).transpose(3, 0, 1, 2), values_WS).transpose(1, 2, 0)
    mean_WP, se_WP = mean_and_se(slope_IWP)
    axes, what = ("latent", "dimension"), "slope of each column over the value that is set, mean over images"
    return {
        "moved": Array(mean_WP, axes, "unit of the data", what),
        "moved_se": Array(se_WP, axes, "unit of the data", "its standard error over images"),
    }


def answer_arrays(response_IWSD: Tensor, base_ID: Tensor, spread_D: Tensor, units: Units) -> dict[str, Array]:
    """Return how far each unit answers along each walk, `answer` and `answer_se` (W, U): the root mean square over the
    steps of h(do(z_j := v)) - h(z), mean over images, and its standard error over images (NaN of a single one)."""
    change_IWSD = (response_IWSD - base_ID[:, None, None]) / spread_D.cpu()
    square_IWD = change_IWSD.square().mean(2)
    pooled_NU = units.pooled(square_IWD.flatten(0, 1))
    mean_WU, se_WU = mean_and_se(pooled_NU.sqrt().view(*square_IWD.shape[:2], len(units)).numpy())
    axes, what = ("latent", "unit"), "root mean square change of each response along a walk, mean over images"
    return {
        "answer": Array(mean_WU, axes, "latent", what),
        "answer_se": Array(se_WU, axes, "latent", "its standard error over images"),
    }


def slope_over(own_xWS: np.ndarray, values_WS: np.ndarray) -> np.ndarray:
    """Return least-squares slopes (..., W) of responses (..., W, S) over values (W, S); NaN where values are equal."""
    deviation_WS = values_WS - values_WS.mean(1, keepdims=True)
    square_W = np.square(deviation_WS).sum(1)
    slope_xW: np.ndarray = np.einsum("...ws,ws->...w", own_xWS, deviation_WS) / np.where(square_W > 0, square_W, np.nan)
    return slope_xW
