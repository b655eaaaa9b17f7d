"""Ada-GVAE: what a pair shares, by hand, and pairs that differ in the factors they should."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lrx.core.factors import FactorSpace
from lrx.core.types import Paired
from lrx.data.helix import double_helix
from lrx.models.adagvae import AdaGVAE, average_shared, change_factors, shared_latents
from lrx.models.betavae import BetaVAE
from lrx.models.networks.mlp import mlp

SETTINGS = {
    "network": functools.partial(mlp, hidden=[8], activation="elu", spread="log_std"),
    "observation_shape": (3,),
    "latent_dim": 4,
    "reconstruction": "gaussian",
    "variance": 0.5,
    "kl": "exact",
    "beta": 3.0,
}


class Grid:
    """A grid whose observations are its classes."""

    name, source, fingerprint = "grid", "made in the test", "grid"
    observation_shape = (3,)

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.factors = FactorSpace(tuple("abcdef"[: len(sizes)]), sizes)

    def __len__(self) -> int:
        return self.factors.num_points

    def raw(self, indices: torch.Tensor) -> torch.Tensor:
        return self.factors.classes(indices).float()

    images = raw


def adagvae(**changes: object) -> AdaGVAE:
    torch.manual_seed(0)
    return AdaGVAE(**{**SETTINGS, "k": "random", **changes})  # type: ignore[arg-type]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def differing(grid: Grid, k: int | str, count: int = 4000) -> torch.Tensor:
    indices = torch.arange(count) % len(grid)
    partners = adagvae(k=k).partners(grid, indices, generator())
    assert partners.dtype == torch.int64
    assert ((partners >= 0) & (partners < len(grid))).all()
    return grid.factors.classes(partners) != grid.factors.classes(indices)


def test_three_latents_by_hand() -> None:
    mean = torch.tensor([[0.0, 1.0, 0.0], [2.0, 1.5, 0.0]], dtype=torch.float64)
    sigma = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 2.0]], dtype=torch.float64)
    # KL: 2^2 / 2 = 2; 0.5^2 / 2 = 0.125; (1/4 - 1 + ln 4) / 2 = 0.318. Threshold: (2 + 0.125) / 2 = 1.0625.
    shared = shared_latents(mean, sigma.log())
    assert shared.tolist() == [[False, True, True]]
    new_mean, new_log_std = average_shared(mean, sigma.log(), shared)
    assert new_mean.tolist() == [[0.0, 1.25, 0.0], [2.0, 1.25, 0.0]]
    expected = torch.tensor([[1.0, 1.0, math.sqrt(2.5)]] * 2, dtype=torch.float64)  # the variance is (1 + 4) / 2
    torch.testing.assert_close(new_log_std.exp(), expected, rtol=1e-14, atol=0)


def test_threshold_from_kl_of_torch() -> None:
    mean, log_std = torch.randn(2, 200, 6, dtype=torch.float64, generator=generator())
    one, other = (Normal(m, s.exp()) for m, s in zip(mean.chunk(2), log_std.chunk(2), strict=True))
    delta = kl_divergence(one, other)
    halfway = (delta.max(dim=1, keepdim=True).values + delta.min(dim=1, keepdim=True).values) / 2
    assert torch.equal(shared_latents(mean, log_std), delta < halfway)


def test_identical_images_share_all_latents() -> None:
    mean, log_std = torch.randn(2, 5, 3, generator=generator())
    shared = shared_latents(mean.repeat(2, 1), log_std.repeat(2, 1))
    assert shared.all()
    averaged = average_shared(mean.repeat(2, 1), log_std.repeat(2, 1), shared)
    torch.testing.assert_close(averaged, (mean.repeat(2, 1), log_std.repeat(2, 1)))
    assert not shared_latents(torch.tensor([[0.0], [1.0]]), torch.zeros(2, 1)).any()


def test_extreme_latents_are_shared_or_not() -> None:
    mean, log_std = torch.randn(2, 400, 5, generator=generator())
    shared = shared_latents(mean, log_std)
    assert (shared.sum(dim=1) >= 1).all()
    assert (shared.sum(dim=1) <= 4).all()


@pytest.mark.parametrize("k", [1, 2])
def test_pairs_differ_in_k_factors(k: int) -> None:
    changed = differing(Grid((2, 5, 3, 4)), k)
    assert (changed.sum(dim=1) == k).all()
    share, error = k / 4, math.sqrt(k / 4 * (1 - k / 4) / 4000)
    assert changed.double().mean(dim=0).tolist() == pytest.approx([share] * 4, abs=4 * error)


def test_random_k_is_uniform() -> None:
    counts = differing(Grid((2, 5, 3, 4)), "random").sum(dim=1).bincount(minlength=5)
    assert counts[[0, 4]].tolist() == [0, 0]
    assert counts[1:4].tolist() == pytest.approx([4000 / 3] * 3, abs=4 * math.sqrt(4000 * 2 / 9))


def test_constant_factors_do_not_count() -> None:
    changed = differing(Grid((1, 4, 1, 3)), "random")
    assert changed.any(dim=0).tolist() == [False, True, False, True]
    assert (changed.sum(dim=1) == 1).all()


def test_changed_values_are_uniform() -> None:
    classes = torch.tensor([[2, 0]]).repeat(4000, 1)
    changed = change_factors(FactorSpace(("a", "b"), (5, 1)), classes, torch.ones(4000, dtype=torch.int64), generator())
    counts = changed[:, 0].bincount(minlength=5)
    assert counts[2] == 0
    assert counts[[0, 1, 3, 4]].tolist() == pytest.approx([1000] * 4, abs=4 * math.sqrt(4000 * 3 / 16))
    assert (changed[:, 1] == 0).all()


def test_pairs_need_factors_and_enough_of_them() -> None:
    model, indices = adagvae(k=2), torch.arange(4)
    assert isinstance(model, Paired)
    with pytest.raises(ValueError, match="model=adagvae needs known factors of variation, and double helix has none"):
        model.partners(double_helix(num_points=8, noise=0.1, seed=0), indices, generator())
    with pytest.raises(ValueError, match=r"k=2 .*grid has 2 factors that vary"):
        model.partners(Grid((4, 3, 1)), indices, generator())
    with pytest.raises(ValueError, match=r"k=random .*grid has 1 factors that vary"):
        adagvae().partners(Grid((4, 1)), indices, generator())


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "rnd", None])
def test_k_is_a_number_of_factors_or_random(k: object) -> None:
    with pytest.raises(ValueError, match=r"k must be .*random, not "):
        adagvae(k=k)


def test_identical_pair_has_betavae_loss() -> None:
    model = adagvae()
    plain = BetaVAE(**SETTINGS)  # type: ignore[arg-type]
    plain.load_state_dict(model.state_dict())
    x = torch.randn(6, 3, generator=generator()).repeat(2, 1)
    losses, expected = (one.loss(x, step=0, generator=generator(1)) for one in (model, plain))
    assert losses["shared"] == 4
    for key in ("loss", "reconstruction", "kl"):
        torch.testing.assert_close(losses[key], expected[key])


def test_loss_of_averaged_posteriors() -> None:
    model = adagvae()
    x = torch.randn(12, 3, generator=generator())
    losses = model.loss(x, step=0, generator=generator(1))
    mean, std = model.posterior(x)
    shared = shared_latents(mean, std.log())
    mean, log_std = average_shared(mean, std.log(), shared)
    prior = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(dim=1).mean()
    assert losses["kl"].item() == pytest.approx(prior.item(), rel=1e-6)
    assert losses["shared"].item() == pytest.approx(shared.sum().item() / 6)
    assert losses["loss"].item() == pytest.approx(losses["reconstruction"].item() + 3 * losses["kl"].item())
