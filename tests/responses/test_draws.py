"""Base points and partners: from the prior, from data, the same at any batch size."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import nn

from lrx.responses.draws import BLOCK, Draws, cyclic_partners, draws
from lrx.responses.measurement import Measurement, measurement
from tests.responses.test_latent_response import Deterministic, Identity, Points


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


def test_draws_encode_only_blocks_read() -> None:
    data = Points(100_000)
    list(islice(draws(measured(Identity(), data), base="posterior"), 2))
    assert len(data.asked) <= 2 * BLOCK + 1  # and one that tells the number of latents
