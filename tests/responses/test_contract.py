"""Contract of an autoencoder: remarks and errors on models that break one part of it, none on one that keeps it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrx.core.types import Dataset
from lrx.data.in_memory import as_dataset
from lrx.responses.contract import check_contract
from lrx.responses.encoding import kl_from_prior
from tests.support.models_for_tests import Vectors

SHAPE = (1, 4, 4)


class Identity(nn.Module):
    """An identity on images, in float64: pixels are codes, whose logits `encode` may take."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        return z.view(-1, *SHAPE)


def model(**methods: Callable[..., object]) -> Identity:
    """An identity with other methods."""
    return type("Changed", (Identity,), methods)()  # type: ignore[no-any-return]


@pytest.fixture
def images() -> Dataset:
    return as_dataset(np.random.default_rng(0).integers(0, 256, (90, 4, 4), dtype=np.uint8))


def squared(x: Tensor, y: Tensor) -> float:
    return float((x - y).square().flatten(1).sum(1).mean())


def test_identity_has_no_remark(images: Dataset) -> None:
    assert check_contract(Identity(), images) == []
    assert check_contract(model(posterior=lambda self, x: (x.flatten(1), x.flatten(1) + 1)), images) == []


def test_check_uses_up_no_random_number(images: Dataset) -> None:
    noisy = model(encode=lambda self, x: x.flatten(1) + torch.randn(len(x), 16))
    torch.manual_seed(3)
    check_contract(noisy, images)
    after = torch.rand(4)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(4))


def test_training_flag_is_kept(images: Dataset) -> None:
    autoencoder = Identity().train()
    check_contract(autoencoder, images)
    assert autoencoder.training


@pytest.mark.parametrize(
    ("methods", "remark"),
    [
        ({"encode": lambda self, x: x.flatten(1) + 0.5 * torch.randn(len(x), 16)}, r"encode draws.*differs by 0\.7"),
        ({"encode": lambda self, x: F.dropout(x.flatten(1))}, "encode draws, where the mean is meant"),
        ({"encode": lambda self, x: x.flatten(1) - x.flatten(1).mean(0)}, "encode depends on the other images"),
        (
            {"posterior": lambda self, x: (x.flatten(1), torch.full((len(x), 16), math.inf))},
            "posterior gives 1024 infinite of 1024 deviations",
        ),
        ({"decode": lambda self, z: (z - z.mean(0)).view(-1, *SHAPE)}, "decode depends on the other codes of a batch"),
        (
            {"posterior": lambda self, x: (2 * x.flatten(1), torch.ones(len(x), 16))},
            "encode is not the mean that its posterior has: it differs by 0.5",
        ),
    ],
)
def test_encode_and_decode_repeat(methods: dict[str, Callable[..., object]], remark: str, images: Dataset) -> None:
    assert re.search(remark, check_contract(model(**methods), images)[0])


@pytest.mark.parametrize(
    ("decode", "remedy"),
    [
        (lambda z: z.clamp(1e-4, 1 - 1e-4).logit(), "output=logits would fit"),
        (lambda z: 2 * z - 1, "output=tanh would fit"),
        (lambda z: 255 * z, "a division by 255 would fit"),
        (lambda z: 1.2 * z - 0.1, "as they are they reconstruct best; pictures show them clipped"),
    ],
)
def test_fitting_output_is_named(decode: Callable[[Tensor], Tensor], remedy: str, images: Dataset) -> None:
    (remark,) = check_contract(model(decode=lambda self, z: decode(z).view(-1, *SHAPE)), images)
    assert remedy in remark
    pixels = images.raw(torch.randperm(90, generator=torch.Generator().manual_seed(0))[:64]).double() / 255
    low, high = float(decode(pixels).min()), float(decode(pixels).max())
    assert f"gives {low:.3g} to {high:.3g} where pixels are in [0, 1]" in remark


def test_untrained_logits_are_named(images: Dataset) -> None:
    remarks = check_contract(model(decode=lambda self, z: 9 * (z.flip(1) - 0.5).view(-1, *SHAPE)), images)
    assert "they are probably logits (output=logits)" in remarks[0]
    assert "no better than the mean image" in remarks[1]


def test_mean_image_is_the_measure(images: Dataset) -> None:
    pixels = images.raw(torch.randperm(90, generator=torch.Generator().manual_seed(0))[:64]).double() / 255
    mean = pixels.mean(0)
    ignoring = model(decode=lambda self, z: (0 * z).view(-1, *SHAPE) + mean.flip(2))
    (remark,) = check_contract(ignoring, images)
    error, mean_error = squared(pixels, mean.flip(2)), squared(pixels, mean)
    assert f"(squared error {error:.4g} each, of the mean {mean_error:.4g})" in remark
    same = as_dataset(np.full((5, 4, 4), 77, dtype=np.uint8))  # nothing to tell from equal images
    assert check_contract(model(decode=lambda self, z: (0 * z).view(-1, *SHAPE)), same) == []


class Gain(Identity):
    """Vectors are their codes, and are decoded times a gain."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def decode(self, z: Tensor) -> Tensor:
        return self.gain * z


def test_vectors_have_no_range() -> None:
    vectors = Vectors()
    assert check_contract(Gain(1.0), vectors) == []
    (remark,) = check_contract(Gain(-1.0), vectors)
    assert "no better than the mean observation" in remark


def nan_weights() -> Identity:
    broken = model(encode=lambda self, x: x.flatten(1) * self.unused)
    broken.unused.data.fill_(math.nan)
    return broken


LOGS = {"posterior": lambda self, x: (x.flatten(1), x.flatten(1) - 3)}
PAIR = {"encode": lambda self, x: (x.flatten(1), x.flatten(1))}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            model(**PAIR),
            r"encode was tried on .*, \(64, 1, 4, 4\): it gives a tuple of .*not codes .*take=0",
        ),
        (model(encode=lambda self, x: x[:, 0]), r"gives float64 \(64, 4, 4\), not codes"),
        (model(encode=lambda self, x: x.flatten(1).long()), "gives int64"),
        (model(decode=lambda self, z: z.view(-1, *SHAPE).squeeze(0)), r"\(1, 16\): it gives float64 \(1, 4, 4\)"),
        (model(decode=lambda self, z: z), r"not observations \(64, 1, 4, 4\)"),
        (
            model(encode=lambda self, x: x.nothing),
            r"contract.py, line \d+, in <lambda>: AttributeError: .*nothing",
        ),
        (model(encode=lambda self, x: (x.flatten(1) - 2).log()), "its weights are finite, so they arise within it"),
        (nan_weights(), r"NaN or infinities for 64 of 64; its weights hold NaN or infinities \(unused\)"),
        (model(decode=lambda self, z: z.view(-1, *SHAPE) / 0), "decode was tried .*NaN or infinities"),
        (model(**LOGS), r"posterior gives deviations from -3 to -2; negative ones are probably log-variances"),
        (model(posterior=lambda self, x: x.flatten(1)), "not mean and standard deviation"),
        (
            model(decode=lambda self, z: z.view(-1, *SHAPE).bernoulli()),
            "decode draws: called again, it differs by .*would count as a response: fix it within decode",
        ),
    ],
)
def test_what_cannot_be_right_is_an_error(broken: Identity, message: str, images: Dataset) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check_contract(broken, images)
    assert "\n" not in str(caught.value)


def test_kl_tells_log_variances_from_nan() -> None:
    zeros = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="negative ones are probably log-variances"):
        kl_from_prior(zeros, zeros - 1)
    with pytest.raises(ValueError, match="not numbers, or too large"):
        kl_from_prior(zeros, zeros + math.nan)
    assert torch.equal(kl_from_prior(zeros, zeros + 1), zeros)


def test_images_of_one_channel_come_in_plain_memory(images: Dataset) -> None:
    seen: list[tuple[int, ...]] = []
    check_contract(model(encode=lambda self, x: (seen.append(x.stride()), x.view(len(x), -1))[1]), images)
    assert set(seen) == {(16, 16, 4, 1)}
