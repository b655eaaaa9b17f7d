"""FactorVAE: permuted latents, two objectives that do not mix, and the density ratio of a known Gaussian."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import pytest
import torch

from lrx.core.types import Grouped, as_float
from lrx.data.helix import double_helix
from lrx.models.factorvae import FactorVAE, permute_latents
from lrx.models.networks.mlp import mlp
from lrx.models.vae import VAE
from lrx.training.loop import train
from tests.support.models_for_tests import TRAINING

HELIX = {
    "network": functools.partial(mlp, hidden=[16], activation="elu", spread="log_std"),
    "observation_shape": (3,),
    "latent_dim": 2,
    "reconstruction": "gaussian",
    "variance": 0.5,
    "kl": "exact",
}
OWN = {"gamma": 6.0, "layers": 2, "width": 16, "discriminator_lr": 1e-3, "discriminator_betas": [0.5, 0.9]}


def factorvae(**changes: object) -> FactorVAE:
    torch.manual_seed(0)
    return FactorVAE(**{**HELIX, **OWN, **changes})  # type: ignore[arg-type]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_losses(model: FactorVAE) -> dict[str, torch.Tensor]:
    x = as_float(double_helix(num_points=64, noise=0.1, seed=0).raw(torch.arange(32)))
    return model.loss(x, step=0, generator=generator())


def gradients(loss: torch.Tensor, part: torch.nn.Module) -> tuple[torch.Tensor | None, ...]:
    return torch.autograd.grad(loss, list(part.parameters()), allow_unused=True, retain_graph=True)


def trained(model: VAE, folder: Path) -> VAE:
    data = double_helix(num_points=256, noise=0.1, seed=0)
    train(model, data, TRAINING, seed=3, device=torch.device("cpu"), path=folder / "checkpoint.pt", config="text")
    return model


def test_permute_latents() -> None:
    column = torch.randn(4000, 1, dtype=torch.float64, generator=generator())
    z = column.repeat(1, 3)
    permuted = permute_latents(z, generator(1))
    assert torch.equal(permuted.sort(dim=0).values, z.sort(dim=0).values)
    off_diagonal = torch.corrcoef(permuted.T)[~torch.eye(3, dtype=torch.bool)]
    assert off_diagonal.abs().max() < 4 / math.sqrt(4000)  # four standard errors of no correlation; before, it was 1
    assert torch.equal(permute_latents(z, generator(1)), permuted)


def test_the_loss_is_the_sum_of_both_objectives() -> None:
    losses = {key: value.item() for key, value in some_losses(factorvae()).items()}
    expected = losses["reconstruction"] + losses["kl"] + 6 * losses["total_correlation"] + losses["discriminator"]
    assert losses["loss"] == pytest.approx(expected, rel=1e-6)


def test_gradients_of_vae_and_discriminator_are_separate() -> None:
    model = factorvae()
    losses = some_losses(model)
    vae = losses["loss"] - losses["discriminator"]
    assert all(gradient is None for gradient in gradients(losses["total_correlation"], model.discriminator))
    assert all(gradient is None or not gradient.any() for gradient in gradients(vae, model.discriminator))
    assert all(gradient is None for gradient in gradients(losses["discriminator"], model.encoder))
    assert all(gradient is None for gradient in gradients(losses["discriminator"], model.decoder))
    assert all(gradient is not None for gradient in gradients(losses["total_correlation"], model.encoder))
    assert all(gradient is not None for gradient in gradients(losses["discriminator"], model.discriminator))


def test_compiled_discriminator_equals_eager() -> None:
    plain, compiled = factorvae(), factorvae()
    compiled.discriminator.compile(backend="eager")
    for key, value in some_losses(compiled).items():
        torch.testing.assert_close(value, some_losses(plain)[key])
    for model in (plain, compiled):
        some_losses(model)["loss"].backward()
    for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_gamma_zero_equals_vae_bit_for_bit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = VAE(**HELIX)  # type: ignore[arg-type]
    for name, model in (("plain", plain), ("factor", factorvae(gamma=0)), ("pressed", factorvae())):
        (tmp_path / name).mkdir()
        trained(model, tmp_path / name)
    weights = torch.load(tmp_path / "factor" / "checkpoint.pt")["model"]
    pressed = torch.load(tmp_path / "pressed" / "checkpoint.pt")["model"]
    assert all(torch.equal(weights[key], value) for key, value in plain.state_dict().items())
    assert not torch.equal(pressed["encoder.1.weight"], weights["encoder.1.weight"])
    assert set(weights) - set(plain.state_dict()) == {
        f"discriminator.{layer}.{kind}" for layer in (0, 2, 4) for kind in ("weight", "bias")
    }


def test_discriminator_optimiser_group() -> None:
    model = factorvae()
    assert isinstance(model, Grouped)
    vae, discriminator = model.parameter_groups()
    assert set(vae) == {"params"}
    assert {key: discriminator[key] for key in ("lr", "betas")} == {"lr": 1e-3, "betas": (0.5, 0.9)}
    assert discriminator["params"] == list(model.discriminator.parameters())
    assert len(vae["params"]) + len(discriminator["params"]) == len(list(model.parameters()))  # type: ignore[arg-type]


def test_discriminator_layers() -> None:
    model = factorvae(latent_dim=10, layers=6, width=1000)
    linear = [layer for layer in model.discriminator if isinstance(layer, torch.nn.Linear)]
    assert [layer.out_features for layer in linear] == [1000] * 6 + [2]
    assert {layer.negative_slope for layer in model.discriminator if hasattr(layer, "negative_slope")} == {0.2}
    assert sum(weight.numel() for weight in model.discriminator.parameters()) == 11_000 + 5 * 1_001_000 + 2_002


def test_untrained_discriminator_error_is_log_2() -> None:
    model = factorvae()
    for weight in model.discriminator.parameters():
        torch.nn.init.zeros_(weight)
    losses = some_losses(model)
    assert losses["discriminator"].item() == pytest.approx(math.log(2))
    assert losses["total_correlation"].item() == 0


def test_total_correlation_of_gaussian() -> None:
    covariance = torch.tensor([[1.0, 0.8], [0.8, 1.0]])
    analytic = -0.5 * math.log(1 - 0.8**2)  # 0.511 nats
    model, chance = factorvae(width=32), generator()
    optimizer = torch.optim.Adam(model.discriminator.parameters(), 3e-3, betas=(0.5, 0.9))
    factor = torch.linalg.cholesky(covariance)

    def draws(count: int) -> torch.Tensor:
        return torch.randn(count, 2, generator=chance) @ factor.T

    for step in range(400):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / 400)
        optimizer.zero_grad()
        model.discriminator_error(draws(1024), chance).backward()
        optimizer.step()
    assert model.total_correlation(draws(50_000)).item() == pytest.approx(analytic, rel=0.1)
    assert model.discriminator_error(draws(50_000), chance).item() < math.log(2) - 0.1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gamma", -1),
        ("gamma", math.nan),
        ("gamma", True),
        ("layers", 0),
        ("layers", 1.5),
        ("width", True),
        ("discriminator_lr", 0),
        ("discriminator_lr", math.inf),
        ("discriminator_betas", [0.5]),
        ("discriminator_betas", [0.5, 1]),
        ("discriminator_betas", 0.5),
    ],
)
def test_invalid_settings_are_refused(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{key} must be .*not "):
        factorvae(**{key: value})
