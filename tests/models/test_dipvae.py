"""DIP-VAE I and II: covariances by hand, and losses from their parts."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import Tensor

from lrx.models.dipvae_i import DIPVAEI, batch_covariance
from lrx.models.dipvae_ii import DIPVAEII
from lrx.models.networks.mlp import mlp
from lrx.models.vae import Terms

KINDS = [DIPVAEI, DIPVAEII]
MEAN = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0], [-4.0, -3.0]], dtype=torch.float64)
COVARIANCE = [[4.8, 4.0], [4.0, 7.2]]  # about (0, 1): sums of squares 24 and 36, of products 20, over 5
STD = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [2.0, 2.0], [2.0, 2.0]], dtype=torch.float64)
EXPECTED = {DIPVAEI: COVARIANCE, DIPVAEII: [[4.8 + 2.2, 4.0], [4.0, 7.2 + 4.0]]}  # mean of sigma^2: 11/5 and 4


def model(cls: type[DIPVAEI], *, lambda_od: float = 3.0, lambda_d_factor: float = 5 / 3) -> DIPVAEI:
    torch.manual_seed(0)
    return cls(
        network=functools.partial(mlp, hidden=[8], activation="elu", spread="log_std"),
        observation_shape=(1, 4, 4),
        latent_dim=2,
        reconstruction="bernoulli",
        variance=1.0,
        kl="exact",
        lambda_od=lambda_od,
        lambda_d_factor=lambda_d_factor,
    )


def fixed_terms(x: Tensor, generator: torch.Generator) -> Terms:
    return Terms(torch.tensor(100.0), torch.tensor(7.0), MEAN, STD.log(), MEAN)


@pytest.mark.parametrize("cls", KINDS)
def test_covariance_and_loss_by_hand(cls: type[DIPVAEI], monkeypatch: pytest.MonkeyPatch) -> None:
    dip = model(cls)
    covariance = dip.covariance(fixed_terms(MEAN, torch.Generator()))
    np.testing.assert_allclose(covariance.numpy(), EXPECTED[cls], rtol=1e-12)
    monkeypatch.setattr(dip, "terms", fixed_terms)
    found = dip.loss(MEAN, step=0, generator=torch.Generator())
    (a, c), (_, b) = EXPECTED[cls]
    assert found["off_diagonal"].item() == pytest.approx(2 * c**2)
    assert found["diagonal"].item() == pytest.approx((a - 1) ** 2 + (b - 1) ** 2)
    assert found["loss"].item() == pytest.approx(107 + 3 * 2 * c**2 + 5 * ((a - 1) ** 2 + (b - 1) ** 2))


def test_covariance_equals_numpy() -> None:
    codes = torch.randn(40, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    np.testing.assert_allclose(batch_covariance(codes), np.cov(codes.numpy().T, bias=True), rtol=1e-12, atol=1e-14)
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)
    assert torch.equal(batch_covariance(corners), torch.eye(3))


def test_dipvae_ii_covariance_equals_draws() -> None:
    noise = torch.randn(200_000, *MEAN.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    draws = (MEAN + STD * noise).flatten(0, 1)
    np.testing.assert_allclose(np.cov(draws.numpy().T), EXPECTED[DIPVAEII], rtol=0.01)


@pytest.mark.parametrize("cls", KINDS)
def test_penalty_is_float32_under_autocast(cls: type[DIPVAEI]) -> None:
    terms = Terms(torch.zeros(()), torch.zeros(()), (MEAN / 7).float(), STD.float().log(), MEAN.float())
    plain = model(cls).covariance(terms)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(cls).covariance(terms), plain)


@pytest.mark.parametrize("cls", KINDS)
def test_negative_weights_are_refused_by_name(cls: type[DIPVAEI]) -> None:
    with pytest.raises(ValueError, match=r"lambda_od must be a number of at least 0, not -1"):
        model(cls, lambda_od=-1)
    with pytest.raises(ValueError, match=r"lambda_d_factor must be a number of at least 0, not -2"):
        model(cls, lambda_d_factor=-2)
