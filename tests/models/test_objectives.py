"""Objectives and networks: values worked out by hand, published sizes and names."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from lrx.core.validation import SettingError
from lrx.models.ae import AE
from lrx.models.betavae import BetaVAE
from lrx.models.losses.gaussian_posterior import kl_per_latent, sample
from lrx.models.losses.reconstruction import reconstruction_error, resolve_reconstruction, to_observation
from lrx.models.network import Network, mean_and_log_std, mean_and_log_variance
from lrx.models.networks.conv5 import conv5
from lrx.models.networks.conv64 import conv64
from lrx.models.networks.mlp import mlp
from lrx.models.vae import VAE

MLP = functools.partial(mlp, hidden=[8], activation="elu", spread="log_std")


def parameters(network: Network) -> int:
    return sum(value.numel() for part in (network.encoder, network.decoder) for value in part.parameters())


def test_published_number_of_parameters() -> None:
    assert parameters(conv64(observation_shape=(3, 64, 64), latent_dim=10, heads=2)) == 692_567
    assert parameters(conv5(observation_shape=(3, 64, 64), latent_dim=24, heads=2)) == 510_067


def test_conv5_keys_of_published_weights() -> None:
    model = VAE(
        network=conv5,
        observation_shape=(3, 64, 64),
        latent_dim=24,
        reconstruction="bernoulli",
        variance=1.0,
        kl="exact",
    )
    encoder = [
        f"encoder.{i}.{part}.{kind}" for i in range(5) for part in ("conv", "norm") for kind in ("weight", "bias")
    ]
    encoder += [f"encoder.5.{i}.{kind}" for i in (1, 3, 5) for kind in ("weight", "bias")]
    decoder = [f"decoder.0.{i}.{kind}" for i in (0, 2, 4) for kind in ("weight", "bias")]
    decoder += [
        f"decoder.{i}.{part}.{kind}" for i in range(1, 5) for part in ("conv", "norm") for kind in ("weight", "bias")
    ]
    decoder += [f"decoder.5.conv.{kind}" for kind in ("weight", "bias")]
    assert set(model.state_dict()) == {*encoder, *decoder}
    assert model.state_dict()["encoder.0.conv.weight"].shape == (64, 3, 5, 5)
    assert model.state_dict()["encoder.5.5.weight"].shape == (48, 128)


def test_head_conventions() -> None:
    head = torch.tensor([[1.0, 2.0, 4.0, 6.0]])
    assert mean_and_log_variance(head)[1].tolist() == [[2.0, 3.0]]
    assert mean_and_log_std(head)[1].tolist() == [[4.0, 6.0]]
    assert mean_and_log_std(head)[0].tolist() == mean_and_log_variance(head)[0].tolist() == [[1.0, 2.0]]


def test_kl_equals_torch_and_authors_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_std = torch.randn(2, 50, 3, dtype=torch.float64, generator=generator)
    expected = kl_divergence(Normal(mean, log_std.exp()), Normal(torch.zeros_like(mean), 1.0))
    torch.testing.assert_close(kl_per_latent(mean, log_std, kind="exact"), expected, rtol=1e-12, atol=1e-12)
    sigma = log_std.exp()
    authors = (mean**2 - sigma.log() + sigma - 1) / 2
    torch.testing.assert_close(kl_per_latent(mean, log_std, kind="authors"), authors, rtol=1e-12, atol=1e-12)
    assert kl_per_latent(torch.zeros(1, 1), torch.zeros(1, 1), kind="exact").item() == 0


def test_kl_by_hand() -> None:
    value = kl_per_latent(torch.tensor([[1.0]]), torch.tensor([[math.log(2)]]), kind="exact")
    assert value.item() == pytest.approx(0.5 * (1 + 4 - math.log(4) - 1))


def test_sample_moments_and_gradient() -> None:
    mean = torch.full((200_000, 1), 2.0, dtype=torch.float64)
    log_std = torch.full_like(mean, math.log(0.5)).requires_grad_()
    drawn = sample(mean, log_std, torch.Generator().manual_seed(1))
    assert drawn.mean().item() == pytest.approx(2.0, abs=4 * 0.5 / math.sqrt(200_000))
    assert drawn.std().item() == pytest.approx(0.5, rel=0.01)
    (gradient,) = torch.autograd.grad(drawn.sum(), log_std)
    torch.testing.assert_close(gradient, (drawn - mean).detach())


def test_bernoulli_equals_negative_log_likelihood() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 1, 3, 3, generator=generator)
    x = (torch.rand(4, 1, 3, 3, generator=generator) > 0.5).float()
    expected = -Bernoulli(logits=logits).log_prob(x).sum() / 4
    torch.testing.assert_close(reconstruction_error(logits, x, kind="bernoulli", variance=1.0), expected)


def test_gaussian_by_hand() -> None:
    x, output = torch.zeros(2, 3), torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 2.0]])
    assert reconstruction_error(output, x, kind="gaussian", variance=0.5).item() == pytest.approx((1 + 8) / 2)
    image = torch.zeros(1, 1, 2, 2)  # logits of 0 show pixels of 0.5
    error = reconstruction_error(image, image, kind="gaussian", variance=1.0)
    assert error.item() == pytest.approx(4 * 0.25 / 2)


def test_to_observation_of_images_and_vectors() -> None:
    assert to_observation(torch.tensor([[[[50.0, -50.0]]]])).flatten().tolist() == pytest.approx([1.0, 0.0])
    assert to_observation(torch.tensor([[50.0, -50.0]])).tolist() == [[50.0, -50.0]]


def test_losses_are_sums_of_their_terms() -> None:
    settings = {"network": MLP, "observation_shape": (1, 4, 4), "latent_dim": 3, "reconstruction": "bernoulli"}
    x = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))

    def losses(cls: type[nn.Module], **own: object) -> dict[str, float]:
        torch.manual_seed(0)
        model = cls(**settings, variance=1.0, **own)
        found = model.loss(x, step=0, generator=torch.Generator().manual_seed(5))
        return {key: value.item() for key, value in found.items()}

    vae, beta = losses(VAE, kl="exact"), losses(BetaVAE, kl="exact", beta=7.0)
    assert vae["loss"] == pytest.approx(vae["reconstruction"] + vae["kl"])
    assert beta["loss"] == pytest.approx(vae["reconstruction"] + 7 * vae["kl"])
    assert losses(BetaVAE, kl="exact", beta=1.0)["loss"] == pytest.approx(vae["loss"])
    ae = losses(AE)
    assert ae["loss"] == ae["reconstruction"]


def test_ae_has_one_head() -> None:
    model = AE(network=MLP, observation_shape=(3,), latent_dim=2, reconstruction="gaussian", variance=1.0)
    assert not hasattr(model, "posterior")
    assert model.encoder[-1].out_features == 2


@pytest.mark.parametrize("network", [conv64, conv5])
def test_wrong_image_shape_is_refused(network: object) -> None:
    with pytest.raises(ValueError, match=r"64 x 64.*\(3, 32, 32\)"):
        network(observation_shape=(3, 32, 32), latent_dim=2, heads=2)  # type: ignore[operator]
    with pytest.raises(ValueError, match="network=mlp"):
        network(observation_shape=(3,), latent_dim=2, heads=2)  # type: ignore[operator]


@pytest.mark.parametrize(("shape", "kind"), [((1, 4, 4), "bernoulli"), ((16,), "gaussian")])
def test_auto_reconstruction_equals_resolved_kind(shape: tuple[int, ...], kind: str) -> None:
    x = torch.rand(6, *shape, generator=torch.Generator().manual_seed(0))

    def loss(reconstruction: str) -> tuple[str, float]:
        torch.manual_seed(0)
        model = VAE(
            network=MLP,
            observation_shape=shape,
            latent_dim=3,
            reconstruction=reconstruction,
            variance=0.5,
            kl="exact",
        )
        value = model.loss(x, step=0, generator=torch.Generator().manual_seed(5))["loss"]
        return model.reconstruction, value.item()

    assert loss("auto") == loss(kind)
    assert loss("auto")[0] == kind


def test_bernoulli_over_vectors_is_refused() -> None:
    with pytest.raises(SettingError, match=r"^reconstruction=bernoulli needs pixels.*auto or gaussian"):
        resolve_reconstruction("bernoulli", (3,))
    with pytest.raises(SettingError, match="must be one of auto, bernoulli, gaussian, not 'l1'"):
        resolve_reconstruction("l1", (1, 4, 4))
