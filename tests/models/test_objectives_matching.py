"""Objectives that match all codes to the prior: InfoVAE and WAE by their MMD, SWAE by sorted projections."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from lrx.models.ae import AE
from lrx.models.infovae import InfoVAE
from lrx.models.losses.mmd import Kernel, inverse_multiquadratic, mmd, rbf
from lrx.models.networks.mlp import mlp
from lrx.models.swae import SWAE, sliced_wasserstein
from lrx.models.vae import VAE
from lrx.models.wae_mmd import WAEMMD

KERNELS = [rbf, inverse_multiquadratic]
X = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def model(cls: type[nn.Module], **own: object) -> nn.Module:
    torch.manual_seed(0)
    return cls(
        network=functools.partial(mlp, hidden=[8], activation="elu", spread="log_std"),
        observation_shape=(1, 4, 4),
        latent_dim=3,
        reconstruction="bernoulli",
        variance=1.0,
        **own,
    )


def losses(cls: type[nn.Module], **own: object) -> dict[str, float]:
    found = model(cls, **own).loss(X, step=0, generator=torch.Generator().manual_seed(5))
    return {key: value.item() for key, value in found.items()}


def similarity(name: str, a: Tensor, b: Tensor) -> float:
    squared, latents = sum((float(p) - float(q)) ** 2 for p, q in zip(a, b, strict=True)), len(a)
    if name == "rbf":
        return math.exp(-squared / latents**2)
    return sum(2 * latents * s / (2 * latents * s + squared) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))


@pytest.mark.parametrize("kernel", KERNELS)
def test_mmd_equals_unbiased_sum_over_pairs(kernel: Kernel) -> None:
    x, y = normal(7, 3, seed=0), normal(5, 3, seed=1) + 0.5
    k = functools.partial(similarity, kernel.__name__)
    within = [
        sum(k(a, b) for a, b in itertools.permutations(sample, 2)) / (len(sample) * (len(sample) - 1))
        for sample in (x, y)
    ]
    between = sum(k(a, b) for a in x for b in y) / 35
    assert mmd(x, y, kernel).item() == pytest.approx(sum(within) - 2 * between, abs=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_mmd_of_one_distribution_is_zero_on_average(kernel: Kernel) -> None:
    values = torch.stack([mmd(normal(20, 3, seed=2 * i), normal(15, 3, seed=2 * i + 1), kernel) for i in range(400)])
    assert values.min() < 0
    assert values.mean().item() == pytest.approx(0, abs=4 * values.std().item() / 20)


def test_mmd_of_gaussians_equals_closed_form() -> None:
    latents, std, shift = 2, 0.5, torch.tensor([1.0, -0.5], dtype=torch.float64)

    def expected(variance: float, squared_shift: float) -> float:
        """E exp(-|d|^2 / D^2) for a difference d that is Gaussian with this variance and shift."""
        width = latents**2 / 2
        return (width / (width + variance)) ** (latents / 2) * math.exp(-squared_shift / (2 * (width + variance)))

    truth = expected(2, 0) + expected(2 * std**2, 0) - 2 * expected(1 + std**2, float(shift.square().sum()))
    values = torch.stack(
        [mmd(normal(50, 2, seed=2 * i), shift + std * normal(50, 2, seed=2 * i + 1), rbf) for i in range(400)]
    )
    assert values.mean().item() == pytest.approx(truth, abs=4 * values.std().item() / 20)


def test_mmd_of_one_point_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batches of at least 2 images"):
        mmd(normal(1, 3, seed=0), normal(1, 3, seed=1), rbf)


def sliced(x: Tensor, y: Tensor, *, slices: int = 50, seed: int = 0) -> float:
    found = sliced_wasserstein(x, y, num_projections=slices, generator=torch.Generator().manual_seed(seed))
    return found.item()


def test_sliced_wasserstein_in_one_dimension() -> None:
    x, y = normal(5, 1, seed=0), normal(5, 1, seed=1)
    best = min(float((x - y[list(order)]).square().mean()) for order in itertools.permutations(range(5)))
    assert sliced(x, y) == pytest.approx(best, rel=1e-12)
    sample = normal(9, 1, seed=2)
    moved = sample[torch.randperm(9, generator=torch.Generator().manual_seed(0))] + 3
    assert math.sqrt(sliced(sample, moved)) == pytest.approx(
        scipy.stats.wasserstein_distance(sample[:, 0], moved[:, 0]), rel=1e-12
    )


def test_sliced_wasserstein_of_equal_samples_is_zero() -> None:
    x = normal(30, 4, seed=0)
    assert sliced(x, x.flip(0)) == pytest.approx(0, abs=1e-24)


def test_sliced_wasserstein_of_shift() -> None:
    x, shift = normal(30, 4, seed=0), torch.tensor([1.0, -2.0, 0.0, 0.5], dtype=torch.float64)
    values = np.array([sliced(x, x + shift, slices=10, seed=seed) for seed in range(400)])
    assert values.mean() == pytest.approx(5.25 / 4, abs=4 * values.std() / 20)


def test_losses_are_sums_of_their_terms() -> None:
    vae, ae = losses(VAE, kl="exact"), losses(AE)
    info = losses(InfoVAE, kl="exact", alpha=0.25, lambda_mmd=11.0)
    assert info["kl"] == vae["kl"]
    assert info["loss"] == pytest.approx(vae["reconstruction"] + 0.75 * vae["kl"] + 10.25 * info["mmd"], rel=1e-5)
    assert losses(InfoVAE, kl="exact", alpha=0.0, lambda_mmd=1.0)["loss"] == vae["loss"]
    wae = losses(WAEMMD, weight=7.0)
    assert wae["reconstruction"] == ae["reconstruction"]
    assert wae["loss"] == pytest.approx(ae["loss"] + 7 * wae["mmd"], rel=1e-5)
    swae = losses(SWAE, weight=3.0, num_projections=8)
    assert swae["loss"] == pytest.approx(ae["loss"] + 3 * swae["sliced_wasserstein"], rel=1e-5)
    assert not hasattr(model(WAEMMD, weight=1.0), "posterior")


def test_penalty_descent_reaches_prior() -> None:
    for penalty in (
        lambda z, prior, generator: mmd(z, prior, inverse_multiquadratic),
        lambda z, prior, generator: sliced_wasserstein(z, prior, num_projections=32, generator=generator),
    ):
        generator = torch.Generator().manual_seed(0)
        mean = torch.full((2,), 2.0, dtype=torch.float64, requires_grad=True)
        log_std = torch.full((2,), -2.0, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([mean, log_std], 0.1)
        for _ in range(80):
            noise, prior = torch.empty(2, 64, 2, dtype=torch.float64).normal_(generator=generator)
            optimizer.zero_grad()
            penalty(mean + log_std.exp() * noise, prior, generator).backward()
            optimizer.step()
        assert mean.abs().max() < 0.2
        assert log_std.abs().max() < 0.2


def test_penalties_are_float32_under_autocast() -> None:
    x, y = normal(6, 3, seed=0).float(), normal(6, 3, seed=1).float()
    plain = [*(mmd(x, y, kernel).item() for kernel in KERNELS), sliced(x, y)]
    with torch.autocast("cpu", torch.bfloat16):
        assert [*(mmd(x, y, kernel).item() for kernel in KERNELS), sliced(x, y)] == plain


def test_invalid_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha must be a number of at most 1, not 1\.5"):
        model(InfoVAE, kl="exact", alpha=1.5, lambda_mmd=10.0)
    with pytest.raises(ValueError, match=r"lambda_mmd must be a number of at least 0\.5, not 0\.25"):
        model(InfoVAE, kl="exact", alpha=0.5, lambda_mmd=0.25)
    with pytest.raises(ValueError, match=r"weight must be a number of at least 0, not nan"):
        model(WAEMMD, weight=float("nan"))
    with pytest.raises(ValueError, match=r"weight must be a number of at least 0, not '10'"):
        model(SWAE, weight="10", num_projections=8)
    with pytest.raises(ValueError, match=r"num_projections must be a whole number of at least 1, not 0"):
        model(SWAE, weight=10.0, num_projections=0)
