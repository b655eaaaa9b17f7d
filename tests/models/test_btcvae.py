"""beta-TCVAE: the parts of the KL where they are known, and the weights of both estimators."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal

from lrx.models.btcvae import BTCVAE, decompose, log_importance_weights
from lrx.models.losses.gaussian_posterior import kl_per_latent, sample
from lrx.models.networks.mlp import mlp
from lrx.models.vae import VAE

SETTINGS = {
    "network": functools.partial(mlp, hidden=[8], activation="elu", spread="log_std"),
    "observation_shape": (1, 4, 4),
    "latent_dim": 3,
    "reconstruction": "bernoulli",
    "variance": 1.0,
    "kl": "exact",
}
X = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def parts(mean: Tensor, log_std: Tensor, *, seed: int = 9) -> tuple[float, float, float]:
    """The parts where the batch is the whole data set, so that q(z) is known exactly."""
    z = sample(mean, log_std, torch.Generator().manual_seed(seed))
    found = decompose(z, mean, log_std, log_importance_weights(len(z), len(z), "stratified"))
    return found.mutual_information.item(), found.total_correlation.item(), found.dimension_wise_kl.item()


def test_parts_over_full_data_set_are_exact() -> None:
    mean, log_std = normal(50, 3, seed=0), 0.3 * normal(50, 3, seed=1)
    z = sample(mean, log_std, torch.Generator().manual_seed(9))
    posterior = Independent(Normal(mean, log_std.exp()), 1)
    uniform = Categorical(logits=torch.zeros(50, dtype=torch.float64))
    joint = MixtureSameFamily(uniform, posterior).log_prob(z)
    marginals = sum(
        MixtureSameFamily(uniform, Normal(mean[:, d], log_std[:, d].exp())).log_prob(z[:, d]) for d in range(3)
    )
    prior = Normal(0.0, 1.0).log_prob(z).sum(1)
    expected = [(posterior.log_prob(z) - joint), (joint - marginals), (marginals - prior)]
    assert parts(mean, log_std) == pytest.approx([float(part.mean()) for part in expected], abs=1e-10)


@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_the_parts_add_up_to_the_kl(estimator: str) -> None:
    mean, log_std = normal(400, 3, seed=0), 0.3 * normal(400, 3, seed=1)
    z = sample(mean, log_std, torch.Generator().manual_seed(9))
    found = sum(decompose(z, mean, log_std, log_importance_weights(400, 10_000, estimator)))
    drawn = (Normal(mean, log_std.exp()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(1)
    assert float(found) == pytest.approx(float(drawn.mean()), abs=1e-10)  # for these draws, exactly
    exact = kl_per_latent(mean, log_std, kind="exact").sum(1)
    error = float((drawn - exact).std()) / 20
    assert float(found) == pytest.approx(float(exact.mean()), abs=4 * error)  # on average over draws, the exact KL


def test_posteriors_that_do_not_overlap_tell_images_apart() -> None:
    far = 100.0 * torch.arange(16.0, dtype=torch.float64)
    line = torch.stack([far, far], dim=1)
    mi, tc, _ = parts(line, torch.zeros_like(line))
    assert (mi, tc) == pytest.approx((math.log(16), math.log(16)), abs=1e-10)
    grid = torch.cartesian_prod(far[:4], far[:4])  # latents that vary freely: no total correlation
    mi, tc, _ = parts(grid, torch.zeros_like(grid))
    assert (mi, tc) == pytest.approx((math.log(16), 0), abs=1e-10)


def test_a_prior_for_every_image_has_no_parts() -> None:
    zero = torch.zeros(20, 3, dtype=torch.float64)
    assert parts(zero, zero) == pytest.approx((0, 0, 0), abs=1e-10)


def test_factorial_aggregate_has_zero_tc() -> None:
    grid = torch.cartesian_prod(normal(5, seed=0), normal(4, seed=1), normal(3, seed=2))
    spread = torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64).expand_as(grid)
    assert parts(grid, spread)[1] == pytest.approx(0, abs=1e-10)


def test_a_gaussian_aggregate_has_the_known_parts() -> None:
    covariance, spread = torch.tensor([[0.8, 0.6], [0.6, 0.9]], dtype=torch.float64), 0.6
    mean = normal(1000, 2, seed=0) @ torch.linalg.cholesky(covariance).T
    found = parts(mean, torch.full_like(mean, math.log(spread)))
    total = covariance + spread**2 * torch.eye(2)
    mi = 0.5 * float(torch.logdet(total)) - 2 * math.log(spread)
    tc = 0.5 * float(total.diagonal().log().sum() - torch.logdet(total))
    prior = MultivariateNormal(torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64))
    kl = float(torch.distributions.kl_divergence(MultivariateNormal(prior.mean, total), prior))
    for value, truth, error in zip(found, (mi, tc, kl - tc), (0.034, 0.014, 0.008), strict=True):
        assert value == pytest.approx(truth, abs=4 * error)  # errors: the spread over 20 seeds of 1,000 images


def test_stratified_information_is_never_above_log_n() -> None:
    for seed in range(10):
        mean, log_std = 3 * normal(8, 2, seed=seed), normal(8, 2, seed=100 + seed) - 2
        z = sample(mean, log_std, torch.Generator().manual_seed(seed))
        for size in (8, 20, 5000):
            found = decompose(z, mean, log_std, log_importance_weights(8, size, "stratified"))
            assert found.mutual_information <= math.log(size) + 1e-12


def test_stratified_weights() -> None:
    for batch, size in ((2, 2), (6, 6), (6, 12), (64, 737_280)):
        weights = log_importance_weights(batch, size, "stratified").exp()
        torch.testing.assert_close(weights.sum(1), torch.ones(batch, dtype=torch.float64), rtol=1e-12, atol=0)
        torch.testing.assert_close(weights.diagonal() * size, torch.ones(batch, dtype=torch.float64))
        # the paper's: one of the M = B - 1 others, by chance, has (N - M) / (N M), each of the rest 1 / M
        m = batch - 1
        mean = ((size - m) / (size * m) + (m - 1) / m) / m
        assert weights[0, 1].item() == pytest.approx(mean, rel=1e-12)
    assert log_importance_weights(3, 10, "weighted").exp().flatten().tolist() == pytest.approx([1 / 30] * 9)


def test_weighted_constants() -> None:
    mean, log_std = normal(30, 3, seed=0), 0.3 * normal(30, 3, seed=1)
    z = sample(mean, log_std, torch.Generator().manual_seed(9))
    found = torch.stack(decompose(z, mean, log_std, log_importance_weights(30, 700_000, "weighted")))
    offset = math.log(700_000) * torch.tensor([1, 3 - 1, -3], dtype=torch.float64)
    torch.testing.assert_close(
        found - offset, torch.tensor(parts(mean, log_std), dtype=torch.float64), rtol=0, atol=1e-10
    )


def test_stratified_is_unbiased() -> None:
    mean, log_std = normal(5, 2, seed=0), 0.3 * normal(5, 2, seed=1)
    z = normal(2, seed=2)
    density = Independent(Normal(mean, log_std.exp()), 1).log_prob(z).exp()
    weights = log_importance_weights(3, 5, "stratified").exp()[0]
    others = torch.combinations(torch.arange(1, 5), 2)  # all batches of three in which z's own image is the first
    estimates = weights[0] * density[0] + (weights[1:] * density[others]).sum(1)
    assert float(estimates.mean()) == pytest.approx(float(density.mean()), rel=1e-12)


def losses(cls: type[VAE], **own: object) -> dict[str, Tensor]:
    torch.manual_seed(0)
    model = cls(**SETTINGS, **own)  # type: ignore[arg-type]
    return model.loss(X, step=0, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_beta_one_equals_vae(estimator: str) -> None:
    vae = losses(VAE)
    one, seven = (losses(BTCVAE, beta=beta, estimator=estimator, dataset_size=12) for beta in (1.0, 7.0))
    assert torch.equal(one["loss"], vae["loss"])
    torch.testing.assert_close(seven["loss"], vae["loss"] + 6 * seven["total_correlation"])
    assert set(seven) == {
        "loss",
        "reconstruction",
        "kl",
        "mutual_information",
        "total_correlation",
        "dimension_wise_kl",
    }


def test_estimate_is_float32_under_autocast() -> None:
    mean, log_std = normal(6, 3, seed=0).float(), 0.3 * normal(6, 3, seed=1).float()
    z = sample(mean, log_std, torch.Generator().manual_seed(2))
    weights = log_importance_weights(6, 12, "weighted").float()
    plain = decompose(z, mean, log_std, weights)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(torch.stack(plain), torch.stack(decompose(z, mean, log_std, weights)))


def test_bad_settings_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"beta must be a number of at least 0, not -1"):
        losses(BTCVAE, beta=-1, estimator="weighted", dataset_size=12)
    with pytest.raises(ValueError, match=r"estimator must be one of weighted, stratified, not 'mws'"):
        losses(BTCVAE, beta=1.0, estimator="mws", dataset_size=12)
    with pytest.raises(ValueError, match=r"dataset_size must be a whole number of at least 1, not 0"):
        losses(BTCVAE, beta=1.0, estimator="weighted", dataset_size=0)
    with pytest.raises(ValueError, match=r"stratified needs batches of at least 2 images"):
        log_importance_weights(1, 12, "stratified")
