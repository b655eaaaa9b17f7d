"""Channels of codes: of codes (C, h, w) their channels, of vectors (D,) each latent; moments and spread by channel.

N codes, D elements of one, C channels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def channel_axis(latent_shape: tuple[int, ...]) -> str:
    """Return the name of the axis of channels: `channel`, or `latent` of vectors."""
    return "channel" if len(latent_shape) > 1 else "latent"


def channel_means(values_ND: Tensor, latent_shape: tuple[int, ...]) -> Tensor:
    """Return means over the places of each channel (N, C), float64 on the CPU; of vectors the values as they are."""
    return _by_channel(values_ND, latent_shape).mean(2)


def channel_moments(codes_ND: Tensor, latent_shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return of each code the mean and the variance over the places of each channel, (N, C) and (N, C), float64."""
    codes_NCP = _by_channel(codes_ND, latent_shape)
    return codes_NCP.mean(2), codes_NCP.var(2, correction=0)


def channel_variance(mean_NC: Tensor, within_NC: Tensor, dtype: torch.dtype) -> np.ndarray:
    """Return the mean square deviation of each code from the mean of its channel, (N, C), from `channel_moments`.

    Its mean over codes is the variance of a channel over codes and places; 0 where it varies by rounding alone.
    """
    deviation_NC = within_NC + (mean_NC - mean_NC.mean(0)).square()
    rounding_C = 16 * torch.finfo(dtype).eps * mean_NC.abs().amax(0)
    return torch.where(deviation_NC.mean(0) > rounding_C.square(), deviation_NC, 0.0).numpy()


def _by_channel(values_ND: Tensor, latent_shape: tuple[int, ...]) -> Tensor:
    """Return values as (N, C, places), float64 on the CPU."""
    return values_ND.cpu().double().reshape(len(values_ND), latent_shape[0], -1)
