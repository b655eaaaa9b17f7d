"""Codes in other units: known values, the loop stays the same, statistics of patches go to their places."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from lrx.core.adapt import adapt
from lrx.core.latent_scale import rescale
from lrx.core.types import Probabilistic
from lrx.core.validation import SettingError


class Half(nn.Module):
    """Codes are half of the observations, their deviations 3."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(8, affine=False)
        self.bn.running_mean, self.bn.running_var = torch.arange(8.0), torch.arange(1.0, 9.0)

    def encode(self, x: Tensor) -> Tensor:
        return x / 2

    def decode(self, z: Tensor) -> Tensor:
        return z * 2


class Posterior(Half):
    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x / 2, torch.full_like(x, 3.0)


def test_numbers_for_all_and_for_channels() -> None:
    x = torch.rand(3, 2, 4, 6)
    one = rescale(adapt(Half()), latent_mean=1, latent_std=4)
    torch.testing.assert_close(one.encode(x), (x / 2 - 1) / 4)
    two = rescale(adapt(Half()), latent_mean=[1, 2], latent_std=[4, 8])
    torch.testing.assert_close(two.encode(x)[:, 1], (x[:, 1] / 2 - 2) / 8)
    vectors = rescale(adapt(Half()), latent_mean=[1, 2, 3])
    torch.testing.assert_close(vectors.encode(torch.zeros(1, 3)), torch.tensor([[-1.0, -2, -3]]))
    for model in (one, two):
        torch.testing.assert_close(model.decode(model.encode(x)), x)


@pytest.mark.parametrize("places", [(4, 6), (3, 5)])
def test_statistics_of_patches(places: tuple[int, int]) -> None:
    model = rescale(adapt(Half()), latent_norm="bn")
    x = torch.rand(3, 2, *places)
    z = model.encode(x)
    for channel in range(2):
        for y in range(places[0]):
            for column in range(places[1]):
                index = 4 * channel + 2 * (y % 2) + column % 2  # as pixel_unshuffle orders them
                expected = (x[:, channel, y, column] / 2 - index) / (index + 1 + 1e-5) ** 0.5
                torch.testing.assert_close(z[:, channel, y, column], expected)
    torch.testing.assert_close(model.decode(z), x)


def test_posterior_is_scaled_too() -> None:
    model = rescale(adapt(Posterior()), latent_mean=1, latent_std=4)
    assert isinstance(model, Probabilistic)
    mean, std = model.posterior(torch.ones(1, 3))
    torch.testing.assert_close(mean, torch.full((1, 3), -1 / 8))
    torch.testing.assert_close(std, torch.full((1, 3), 3 / 4))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"latent_std": 0}, "latent_std must be a positive number"),
        ({"latent_mean": "a"}, "latent_mean must be a number"),
        ({"latent_norm": "gn"}, "latent_norm='gn' of Half has no running_mean"),
        ({"latent_norm": "bn", "latent_std": 2.0}, "give it, or latent_mean and latent_std"),
    ],
)
def test_wrong_scales_are_refused(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)):
        rescale(adapt(Half()), **keywords)  # type: ignore[arg-type]


def test_wrong_number_of_channels_is_refused() -> None:
    for model, x in ((rescale(adapt(Half()), latent_mean=[1, 2, 3]), torch.rand(1, 2, 4, 4)),):
        with pytest.raises(ValueError, match="latent_mean has 3 numbers, and codes have 2 channels"):
            model.encode(x)


def test_clamped_pixels() -> None:
    decoded = adapt(Half(), output="tanh", clamp=True).decode(torch.tensor([[-1.0, 0.0, 0.25, 1.0]]))
    torch.testing.assert_close(decoded, torch.tensor([[0.0, 0.5, 0.75, 1.0]]))
    with pytest.raises(SettingError, match="clamp must be true or false"):
        adapt(Half(), clamp=1)  # type: ignore[arg-type]
