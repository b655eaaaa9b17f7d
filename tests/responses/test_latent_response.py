from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lrx.responses.encoding import (
    CachedEncoder,
    device_and_dtype_of,
    encode_images,
    eval_mode,
    fitting_batch_size,
    kl_from_prior,
    num_latents,
    posterior_of_images,
)
from lrx.responses.latent_response import intervene, respond


class Points:
    """Data set of distinct vectors (N, 3): row i holds i, i + 0.25 and i + 0.5."""

    name, source, fingerprint, observation_shape = "points", "made by hand", "0", (3,)

    def __init__(self, count: int) -> None:
        self.asked: list[int] = []
        self.points = torch.arange(count, dtype=torch.float32)[:, None] + torch.tensor([0, 0.25, 0.5])

    def __len__(self) -> int:
        return len(self.points)

    def raw(self, indices: Tensor) -> Tensor:
        self.asked += indices.tolist()
        return self.points[indices]


class Identity(nn.Module):
    """encode and decode do nothing; the dtype is that of a parameter; the posterior's deviation is 0.1."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1, dtype=dtype))

    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, z: Tensor) -> Tensor:
        return z

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, torch.full_like(x, 0.1)


class Deterministic(nn.Module):
    """No parameters, no posterior; dropout, so that training mode would show."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def encode(self, x: Tensor) -> Tensor:
        return self.dropout(x)

    def decode(self, z: Tensor) -> Tensor:
        return 2 * z


def test_kl_from_prior_matches_torch() -> None:
    mean, std = torch.tensor([[0.0, 1.0, -2.0]]).double(), torch.tensor([[1.0, 0.5, 0.1]]).double()
    target = torch.distributions.Normal(torch.zeros(3).double(), torch.ones(3).double())
    expected = torch.distributions.kl_divergence(torch.distributions.Normal(mean, std), target)
    assert torch.allclose(kl_from_prior(mean, std), expected, rtol=1e-12)
    assert kl_from_prior(mean, 0 * std).isinf().all()
    with pytest.raises(ValueError, match="posteriors of the model are not numbers"):
        kl_from_prior(mean, std * math.nan)


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_respond_at_any_batch_size(batch_size: int) -> None:
    z = torch.randn(23, 4, generator=torch.Generator().manual_seed(0))
    model = Deterministic()
    assert torch.equal(respond(model, z, batch_size=batch_size), 2 * z)  # dropout is off
    assert all(module.training for module in model.modules())  # and its flag is back


def test_eval_mode_restores_training_flags_after_error() -> None:
    model = Deterministic()
    model.dropout.eval()

    def fail() -> None:
        with eval_mode(model):
            assert not model.training
            assert torch.is_inference_mode_enabled()
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert model.training
    assert not model.dropout.training


def test_responses_can_be_differentiated() -> None:
    h = respond(Identity(), torch.ones(2, 3, dtype=torch.float64), batch_size=2)
    weight = torch.ones(3, dtype=torch.float64, requires_grad=True)
    (h @ weight).sum().backward()
    assert torch.equal(weight.grad, torch.full((3,), 2.0, dtype=torch.float64))


def test_respond_raises_for_nan_and_wrong_shape() -> None:
    broken = Identity()
    broken.encode = lambda x: x * float("nan")  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="not finite"):
        respond(broken, torch.zeros(2, 3), batch_size=2)
    broken.encode = lambda x: x[:, :2]  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"turns \(2, 3\) into \(2, 2\)"):
        respond(broken, torch.zeros(2, 3), batch_size=2)


def test_intervene_replaces_one_latent_in_a_copy() -> None:
    z = torch.zeros(3, 4)
    after = intervene(z, 2, torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(z, torch.zeros(3, 4))
    assert torch.equal(after[:, 2], torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(after[:, [0, 1, 3]], torch.zeros(3, 3))


def test_pixels_become_floats_in_dtype_of_model() -> None:
    data = Points(2)
    data.points = torch.tensor([[0, 51, 255], [255, 0, 102]], dtype=torch.uint8)
    codes = encode_images(Identity(), data, torch.tensor([1, 0]), batch_size=1)
    assert codes.dtype == torch.float64
    expected = torch.tensor([[1, 0, 0.4], [0, 0.2, 1]], dtype=torch.float64)
    assert torch.allclose(codes, expected, atol=1e-7)
    mean, std = posterior_of_images(Identity(), data, torch.tensor([1, 0]), batch_size=2)
    assert torch.equal(mean, codes)
    assert torch.equal(std, torch.full_like(mean, 0.1))


def test_num_latents_encodes_one_image() -> None:
    data = Points(7)
    assert num_latents(Deterministic(), data) == 3
    assert data.asked == [0]


def test_dtype_of_model_without_parameters() -> None:
    model = Deterministic()
    assert device_and_dtype_of(model).dtype == torch.float32
    model.register_buffer("steps", torch.zeros((), dtype=torch.int64))
    model.register_buffer("scale", torch.zeros((), dtype=torch.float64))
    assert device_and_dtype_of(model).dtype == torch.float64


def test_fitting_batch_size() -> None:
    assert fitting_batch_size((3, 64, 64)) == 128
    assert fitting_batch_size((3, 128, 128)) == 32
    assert fitting_batch_size((3,)) == 1024
    assert fitting_batch_size((3, 4096, 4096)) == 1


def test_cached_encoder_encodes_each_image_once() -> None:
    class Counting(Identity):
        encoded = 0

        def encode(self, x: Tensor) -> Tensor:
            self.encoded += len(x)
            return super().encode(x)

    points, model = Points(20), Counting()
    cached = CachedEncoder(model, points)
    first, again = torch.tensor([3, 1, 3, 7]), torch.tensor([7, 2, 1])
    for indices in (first, again, first):
        expected = encode_images(Identity(), points, indices, batch_size=2)
        assert torch.equal(encode_images(cached, points, indices, batch_size=2), expected)
    assert model.encoded == 4  # images 1, 2, 3 and 7
    other = Points(20)
    assert torch.equal(
        encode_images(cached, other, first, batch_size=2), encode_images(Identity(), other, first, batch_size=2)
    )
