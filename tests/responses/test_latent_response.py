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


class Points:
    """A data set of distinct vectors (N, 3): row i holds i, i + 0.25 and i + 0.5."""

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


def test_the_kl_from_the_prior_is_that_of_gaussians() -> None:
    mean, std = torch.tensor([[0.0, 1.0, -2.0]]).double(), torch.tensor([[1.0, 0.5, 0.1]]).double()
    target = torch.distributions.Normal(torch.zeros(3).double(), torch.ones(3).double())
    expected = torch.distributions.kl_divergence(torch.distributions.Normal(mean, std), target)
    assert torch.allclose(kl_from_prior(mean, std), expected, rtol=1e-12)
    assert kl_from_prior(mean, 0 * std).isinf().all()
    with pytest.raises(ValueError, match="posteriors of the model are not numbers"):
        kl_from_prior(mean, std * math.nan)


def take(base: str, *, count: int, seed: int = 0, batch_size: int = 64, size: int = 300) -> Draws:
    """The first `count` draws on the identity autoencoder, joined over blocks (partners counted from each block)."""
    generator = torch.Generator().manual_seed(seed)
    blocks, total = [], 0
    for block in draws(Identity(), Points(size), base=base, generator=generator, batch_size=batch_size):
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
def test_respond_is_encode_of_decode_at_any_batch_size(batch_size: int) -> None:
    z = torch.randn(23, 4, generator=torch.Generator().manual_seed(0))
    model = Deterministic()
    assert torch.equal(respond(model, z, batch_size=batch_size), 2 * z)  # dropout is off
    assert all(module.training for module in model.modules())  # and its flag is back


def test_training_flags_come_back_one_by_one_even_after_an_error() -> None:
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


def test_responses_may_be_differentiated_afterwards() -> None:
    h = respond(Identity(), torch.ones(2, 3, dtype=torch.float64), batch_size=2)
    weight = torch.ones(3, dtype=torch.float64, requires_grad=True)
    (h @ weight).sum().backward()
    assert torch.equal(weight.grad, torch.full((3,), 2.0, dtype=torch.float64))


def test_responses_that_are_not_finite_or_of_another_shape_are_refused() -> None:
    broken = Identity()
    broken.encode = lambda x: x * float("nan")  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="not finite"):
        respond(broken, torch.zeros(2, 3), batch_size=2)
    broken.encode = lambda x: x[:, :2]  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"turns \(2, 3\) into \(2, 2\)"):
        respond(broken, torch.zeros(2, 3), batch_size=2)


def test_an_intervention_replaces_one_latent_and_leaves_its_argument() -> None:
    z = torch.zeros(3, 4)
    moved = intervene(z, 2, torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(z, torch.zeros(3, 4))
    assert torch.equal(moved[:, 2], torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(moved[:, [0, 1, 3]], torch.zeros(3, 3))


@pytest.mark.parametrize("count", [2, 3, 10, 128])
def test_cyclic_partners_are_derangements_with_a_shift_for_each_latent(count: int) -> None:
    partners = cyclic_partners(count, 50, generator=torch.Generator().manual_seed(count))
    assert not (partners == torch.arange(count)[:, None]).any()
    assert torch.equal(partners.sort(dim=0).values, torch.arange(count)[:, None].expand(-1, 50))
    assert (len(partners[0].unique()) > 1) == (count > 2)


def test_prior_draws_are_standard_normal_and_values_independent_of_base_points() -> None:
    block = take("prior", count=4096)
    assert block.partners_ND is None
    both = torch.cat([block.z_ND, block.values_ND], dim=1)
    assert torch.allclose(both.mean(0), torch.zeros(6, dtype=torch.float64), atol=0.06)
    assert torch.allclose(both.T.cov(), torch.eye(6, dtype=torch.float64), atol=0.08)


@pytest.mark.parametrize("base", ["prior", "posterior", "posterior_sample"])
def test_draws_do_not_depend_on_batch_size_or_on_how_many_are_taken(base: str) -> None:
    whole, part = take(base, count=500), take(base, count=200, batch_size=3)
    assert torch.equal(whole.z_ND[:200], part.z_ND)
    assert torch.equal(whole.values_ND[:200], part.values_ND)
    assert not torch.equal(whole.z_ND, take(base, count=500, seed=1).z_ND)


def test_draws_have_the_dtype_of_the_model_and_the_same_numbers() -> None:
    kinds = [Identity(torch.float64), Identity(torch.float32)]
    double, single = (
        next(draws(kind, Points(5), base="prior", generator=torch.Generator().manual_seed(3), batch_size=4))
        for kind in kinds
    )
    assert (double.z_ND.dtype, single.z_ND.dtype) == (torch.float64, torch.float32)
    assert torch.equal(double.z_ND.float(), single.z_ND)


@pytest.mark.parametrize("size", [2, 3, 127, 129, 257, 300])
def test_every_image_comes_once_before_any_comes_again(size: int) -> None:
    block = take("posterior", count=size, size=size)
    assert block.z_ND[:, 0].sort().values.tolist() == list(range(size))
    again = take("posterior", count=2 * size, size=size)
    assert again.z_ND[size:, 0].sort().values.tolist() == list(range(size))


def test_values_from_data_are_latents_of_another_image_in_place() -> None:
    block = take("posterior", count=100)
    assert not (block.values_ND.floor() == block.z_ND.floor()).any()
    assert torch.equal(block.values_ND - block.values_ND.floor(), block.z_ND - block.z_ND.floor())  # latent j from j


def test_partners_say_where_values_come_from() -> None:
    block = next(draws(Identity(), Points(300), base="posterior", generator=torch.Generator(), batch_size=64))
    assert len(block) <= BLOCK
    assert block.partners_ND is not None
    assert torch.equal(block.values_ND, block.z_ND.gather(0, block.partners_ND))
    assert len(block.first(5)) == 5


def test_posterior_samples_spread_as_the_posterior_says() -> None:
    z = take("posterior_sample", count=3000, size=3000).z_ND[:, 1] - 0.25
    assert (z - z.round()).std().item() == pytest.approx(0.1, rel=0.05)


def test_a_base_that_cannot_be_had_is_refused() -> None:
    generator = torch.Generator()
    with pytest.raises(ValueError, match=r"base must be one of prior, posterior, posterior_sample, not 'foo'"):
        draws(Identity(), Points(3), base="foo", generator=generator, batch_size=1)
    with pytest.raises(ValueError, match="needs a posterior, and Deterministic has none"):
        draws(Deterministic(), Points(3), base="posterior_sample", generator=generator, batch_size=1)
    with pytest.raises(ValueError, match="takes values from other images, and points has 1"):
        draws(Identity(), Points(1), base="posterior", generator=generator, batch_size=1)
    with pytest.raises(ValueError, match="points has no images"):
        draws(Identity(), Points(0), base="prior", generator=generator, batch_size=1)


def test_one_image_is_enough_for_the_prior() -> None:
    block = next(draws(Identity(), Points(1), base="prior", generator=torch.Generator(), batch_size=1))
    assert block.z_ND.shape == (BLOCK, 3)


def test_raw_pixels_become_floats_of_the_model() -> None:
    data = Points(2)
    data.points = torch.tensor([[0, 51, 255], [255, 0, 102]], dtype=torch.uint8)
    codes = encode_images(Identity(), data, torch.tensor([1, 0]), batch_size=1)
    assert codes.dtype == torch.float64
    expected = torch.tensor([[1, 0, 0.4], [0, 0.2, 1]], dtype=torch.float64)
    assert torch.allclose(codes, expected, atol=1e-7)
    mean, std = posterior_of_images(Identity(), data, torch.tensor([1, 0]), batch_size=2)
    assert torch.equal(mean, codes)
    assert torch.equal(std, torch.full_like(mean, 0.1))


def test_the_number_of_latents_comes_from_one_image() -> None:
    data = Points(7)
    assert num_latents(Deterministic(), data) == 3
    assert data.asked == [0]


def test_a_model_without_parameters_is_placed_by_its_buffers_or_in_float32() -> None:
    model = Deterministic()
    assert device_and_dtype_of(model).dtype == torch.float32
    model.register_buffer("steps", torch.zeros((), dtype=torch.int64))
    model.register_buffer("scale", torch.zeros((), dtype=torch.float64))
    assert device_and_dtype_of(model).dtype == torch.float64


def test_batch_sizes_fit_the_memory() -> None:
    assert fitting_batch_size((3, 64, 64)) == 128
    assert fitting_batch_size((3, 128, 128)) == 32
    assert fitting_batch_size((3,)) == 1024
    assert fitting_batch_size((3, 4096, 4096)) == 1


def test_only_the_blocks_that_are_read_are_encoded() -> None:
    data = Points(100_000)
    list(islice(draws(Identity(), data, base="posterior", generator=torch.Generator(), batch_size=64), 2))
    assert len(data.asked) <= 2 * BLOCK + 1  # and one that tells the number of latents


def test_remembered_codes_are_the_codes_and_are_encoded_once() -> None:
    class Counting(Identity):
        encoded = 0

        def encode(self, x: Tensor) -> Tensor:
            self.encoded += len(x)
            return super().encode(x)

    points, model = Points(20), Counting()
    remembering = CachedEncoder(model, points)
    first, again = torch.tensor([3, 1, 3, 7]), torch.tensor([7, 2, 1])
    for indices in (first, again, first):
        expected = encode_images(Identity(), points, indices, batch_size=2)
        assert torch.equal(encode_images(remembering, points, indices, batch_size=2), expected)
    assert model.encoded == 4  # images 1, 2, 3 and 7
    other = Points(20)
    assert torch.equal(
        encode_images(remembering, other, first, batch_size=2), encode_images(Identity(), other, first, batch_size=2)
    )
