"""Channels of codes: moments and spread of vectors and of codes with a shape."""

from __future__ import annotations

import numpy as np
import torch

from lrx.responses.channels import channel_means, channel_moments, channel_variance


def test_variance_of_maps_and_vectors() -> None:
    codes = torch.randn(20, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 3
    for shape in ((2, 3, 4), (24,)):
        by_channel = codes.view(20, shape[0], -1)
        np.testing.assert_allclose(channel_means(codes, shape), by_channel.mean(2))
        variance = channel_variance(*channel_moments(codes, shape), codes.dtype).mean(0)
        np.testing.assert_allclose(variance, by_channel.transpose(0, 1).flatten(1).var(1, correction=0))


def test_rounding_is_no_variance() -> None:
    codes = torch.full((9, 2), 0.1)
    codes[::2, 0] += 1e-8
    codes[::2, 1] += 1e-3
    variance = channel_variance(*channel_moments(codes, (2,)), codes.dtype).mean(0)
    assert variance[0] == 0
    assert variance[1] > 0
