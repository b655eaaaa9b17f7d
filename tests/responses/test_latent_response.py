from __future__ import annotations

import math
from itertools import islice

import pytest
import torch
from torch import Tensor, nn

from lrx.responses.draws import BLOCK, Draws, cyclic_partners, draws
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
from lrx.responses.measurement import Measurement, measurement


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


def measured(model: nn.Module, data: Points, seed: int = 0, batch_size: int = 64) -> Measurement:
    return measurement(model, data, torch.Generator().manual_seed(seed), batch_size=batch_size)


def take(base: str, *, count: int, seed: int = 0, batch_size: int = 64, size: int = 300) -> Draws:
    """Return the first `count` draws of the identity autoencoder, joined over blocks (partners by block)."""
    blocks, total = [], 0
    for block in draws(measured(Identity(), Points(size), seed, batch_size), base=base):
        blocks.append(block.first(count - total))
        total += len(blocks[-1])
        if total == count:
            break
    partners = [block.partners_ND for block in blocks if block.partners_ND is not None]
    return Draws(
        torch.cat([block.z_ND for block in blocks]),
        torch.cat([block.values_ND for block in blocks]),
        torch.cat(partners) if partners else None,
    )


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


@pytest.mark.parametrize("count", [2, 3, 10, 128])
def test_cyclic_partners_are_derangements(count: int) -> None:
    partners = cyclic_partners(count, 50, generator=torch.Generator().manual_seed(count))
    assert not (partners == torch.arange(count)[:, None]).any()
    assert torch.equal(partners.sort(dim=0).values, torch.arange(count)[:, None].expand(-1, 50))
    assert (len(partners[0].unique()) > 1) == (count > 2)


def test_prior_draws_are_standard_normal() -> None:
    block = take("prior", count=4096)
    assert block.partners_ND is None
    both = torch.cat([block.z_ND, block.values_ND], dim=1)
    assert torch.allclose(both.mean(0), torch.zeros(6, dtype=torch.float64), atol=0.06)
    assert torch.allclose(both.T.cov(), torch.eye(6, dtype=torch.float64), atol=0.08)


@pytest.mark.parametrize("base", ["prior", "posterior", "posterior_sample"])
def test_draws_are_independent_of_batch_and_number(base: str) -> None:
    long, short = take(base, count=500), take(base, count=200, batch_size=3)
    assert torch.equal(long.z_ND[:200], short.z_ND)
    assert torch.equal(long.values_ND[:200], short.values_ND)
    assert not torch.equal(long.z_ND, take(base, count=500, seed=1).z_ND)


def test_draws_have_dtype_of_model() -> None:
    kinds = [Identity(torch.float64), Identity(torch.float32)]
    double, single = (next(draws(measured(kind, Points(5), seed=3, batch_size=4), base="prior")) for kind in kinds)
    assert (double.z_ND.dtype, single.z_ND.dtype) == (torch.float64, torch.float32)
    assert torch.equal(double.z_ND.float(), single.z_ND)


@pytest.mark.parametrize("size", [2, 3, 127, 129, 257, 300])
def test_each_image_is_drawn_once_per_pass(size: int) -> None:
    block = take("posterior", count=size, size=size)
    assert block.z_ND[:, 0].sort().values.tolist() == list(range(size))
    again = take("posterior", count=2 * size, size=size)
    assert again.z_ND[size:, 0].sort().values.tolist() == list(range(size))


def test_values_from_data_are_latents_of_other_images() -> None:
    block = take("posterior", count=100)
    assert not (block.values_ND.floor() == block.z_ND.floor()).any()
    assert torch.equal(block.values_ND - block.values_ND.floor(), block.z_ND - block.z_ND.floor())  # latent j from j


def test_partners_index_source_of_values() -> None:
    block = next(draws(measured(Identity(), Points(300)), base="posterior"))
    assert len(block) <= BLOCK
    assert block.partners_ND is not None
    assert torch.equal(block.values_ND, block.z_ND.gather(0, block.partners_ND))
    assert len(block.first(5)) == 5


def test_posterior_samples_have_posterior_std() -> None:
    z = take("posterior_sample", count=3000, size=3000).z_ND[:, 1] - 0.25
    assert (z - z.round()).std().item() == pytest.approx(0.1, rel=0.05)


def test_impossible_base_raises() -> None:
    with pytest.raises(ValueError, match=r"base must be one of prior, posterior, posterior_sample, not 'foo'"):
        draws(measured(Identity(), Points(3)), base="foo")
    with pytest.raises(ValueError, match="needs a posterior, and Deterministic has none"):
        draws(measured(Deterministic(), Points(3)), base="posterior_sample")
    with pytest.raises(ValueError, match="takes values from other images, and points has 1"):
        draws(measured(Identity(), Points(1)), base="posterior")
    with pytest.raises(ValueError, match="points has no images"):
        measured(Identity(), Points(0))


def test_prior_needs_one_image() -> None:
    block = next(draws(measured(Identity(), Points(1)), base="prior"))
    assert block.z_ND.shape == (BLOCK, 3)


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


def test_draws_encode_only_blocks_read() -> None:
    data = Points(100_000)
    list(islice(draws(measured(Identity(), data), base="posterior"), 2))
    assert len(data.asked) <= 2 * BLOCK + 1  # and one that tells the number of latents


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
