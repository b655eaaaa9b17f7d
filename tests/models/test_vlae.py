"""Ladders: how deep each chunk of latents is read and put back, the loss by hand, and that they learn."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from lrx.models.layers.ladder_network import Rung
from lrx.models.networks.conv5 import conv5
from lrx.models.networks.conv64 import conv64
from lrx.models.networks.mlp import mlp
from lrx.models.vlae import VLAE
from tests.support.models_for_tests import stage_inputs

NETWORKS = {
    "mlp": (functools.partial(mlp, hidden=[8, 8, 8, 8], activation="elu", spread="log_std"), (1, 4, 4)),
    "conv64": (conv64, (1, 64, 64)),
    "conv5": (conv5, (3, 64, 64)),
}
# Six levels on 4 or 5 places, from the encoder's deepest features and from the decoder's start: floor(6 i / P).
SIX = {"mlp": (0, 0, 1, 2, 2, 3), "conv64": (0, 0, 1, 2, 2, 3), "conv5": (0, 0, 1, 2, 3, 4)}
TWO = {"mlp": (0, 2), "conv64": (0, 2), "conv5": (0, 2)}
CASES = [(network, places) for network in NETWORKS for places in (SIX[network], TWO[network], (0,))]


def built(network: str, *, latent_dim: int, levels: int, **settings: object) -> VLAE:
    torch.manual_seed(0)
    factory, shape = NETWORKS[network]
    settings = {"reconstruction": "bernoulli", "variance": 1.0, "kl": "exact", **settings}
    return VLAE(network=factory, observation_shape=shape, latent_dim=latent_dim, levels=levels, **settings)


def images(model: VLAE, count: int) -> Tensor:
    return torch.rand(count, *model.observation_shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("network", "places"), CASES)
def test_chunk_depends_on_stages_up_to_its_own(network: str, places: tuple[int, ...]) -> None:
    model = built(network, latent_dim=12, levels=len(places))
    x, size, last = images(model, 3), 12 // len(places), len(model.encoder.stages) - 1
    mean, std = model.posterior(x)
    for number, stage in enumerate(model.encoder.stages):
        weights = [value.clone() for value in stage.parameters()]
        with torch.no_grad():
            for value in stage.parameters():
                value.mul_(1.5).add_(0.1)
        moved_mean, moved_std = model.posterior(x)
        for level, place in enumerate(places):
            chunk = slice(level * size, (level + 1) * size)
            reached = number <= last - place
            assert torch.equal(mean[:, chunk], moved_mean[:, chunk]) is not reached
            assert torch.equal(std[:, chunk], moved_std[:, chunk]) is not reached
        with torch.no_grad():
            for value, before in zip(stage.parameters(), weights, strict=True):
                value.copy_(before)


@pytest.mark.parametrize(("network", "places"), CASES)
def test_chunk_enters_decoder_at_its_stage(network: str, places: tuple[int, ...]) -> None:
    model = built(network, latent_dim=12, levels=len(places))
    z, size = torch.randn(2, 12, generator=torch.Generator().manual_seed(1)), 12 // len(places)
    plain = stage_inputs(model.decoder, z)
    for level, place in enumerate(places):
        moved = z.clone()
        moved[:, level * size : (level + 1) * size] += 1
        changed = [not torch.equal(*pair) for pair in zip(plain, stage_inputs(model.decoder, moved), strict=True)]
        assert changed == [stage >= place for stage in range(len(plain))]


def test_order_of_means_and_spreads() -> None:
    model = built("mlp", latent_dim=5, levels=2)  # chunks of 3 and 2
    for level, head in enumerate(model.encoder.heads):
        nn.init.zeros_(head[-2][-1].weight)
        size = (3, 2)[level]
        head[-2][-1].bias.data = torch.cat([torch.full((size,), 1.0 + level), torch.full((size,), -1.0 - level)])
    mean, std = model.posterior(images(model, 1))
    assert mean.tolist() == [[1, 1, 1, 2, 2]]
    torch.testing.assert_close(std.log(), torch.tensor([[-1.0, -1, -1, -2, -2]]))


@pytest.mark.parametrize("levels", [0, 6, 2.0, True])
def test_invalid_levels_are_refused(levels: object) -> None:
    with pytest.raises(ValueError, match=r"levels must be a whole number from 1 to latent_dim=5, not"):
        built("mlp", latent_dim=5, levels=levels)


def test_one_latent_per_level() -> None:
    model = built("mlp", latent_dim=5, levels=5)
    x = images(model, 2)
    assert model.encode(x).shape == (2, 5)
    assert model.decode(model.encode(x)).shape == x.shape


@pytest.mark.parametrize("shape", [(2, 3, 3), (2,)])
def test_rung_equals_mixing_of_concatenation(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    rung = Rung(1, shape).double()
    x, chunk = torch.randn(4, *shape, dtype=torch.float64), torch.randn(4, 1, dtype=torch.float64)
    shift = rung.enter(rung.mlp(chunk)).view(4, 2, *(1 for _ in shape[1:]))
    torch.testing.assert_close(rung(x, chunk), x + shift)  # features pass at first
    nn.init.normal_(rung.mix.weight)
    entering = rung.mlp(chunk).view(4, -1, *(1 for _ in shape[1:])).expand(-1, -1, *shape[1:])
    weight = torch.cat([rung.mix.weight.view(2, 2), rung.enter.weight], dim=1)
    expected = torch.einsum("oc,bc...->bo...", weight, torch.cat([x, entering], dim=1))
    expected += rung.enter.bias.view(2, *(1 for _ in shape[1:]))
    torch.testing.assert_close(rung(x, chunk), expected)


def test_loss_by_hand() -> None:
    model = built("mlp", latent_dim=6, levels=3)
    x = (images(model, 4) > 0.5).float()
    losses = model.loss(x, step=0, generator=torch.Generator().manual_seed(5))
    mean, std = model.posterior(x)
    noise = torch.empty(4, 6).normal_(generator=torch.Generator().manual_seed(5))
    z = mean + std * noise
    rec = -Bernoulli(model.decode(z)).log_prob(x).sum() / 4
    kl = kl_divergence(Normal(mean, std), Normal(torch.zeros_like(mean), 1.0)).sum() / 4
    torch.testing.assert_close(losses["reconstruction"], rec, rtol=1e-5, atol=0)
    torch.testing.assert_close(losses["kl"], kl, rtol=1e-5, atol=0)
    torch.testing.assert_close(losses["loss"], rec + kl, rtol=1e-5, atol=0)


def test_number_of_parameters() -> None:
    model = VLAE(
        network=functools.partial(mlp, hidden=[8], activation="elu", spread="log_std"),
        observation_shape=(1, 4, 4),
        latent_dim=3,
        levels=2,
        reconstruction="bernoulli",
        variance=1.0,
        kl="exact",
    )
    stage = 16 * 8 + 8
    heads = [(8 * 128 + 128) + (128 * 64 + 64) + (64 * 2 * size + 2 * size) for size in (2, 1)]
    assert sum(value.numel() for value in model.encoder.parameters()) == stage + sum(heads)
    hidden = 64 * 128 + 128
    top = (2 * 64 + 64) + hidden + (128 * 8 + 8)
    rung = (1 * 64 + 64) + hidden + (128 * 16 + 16) + ((8 + 16) * 8 + 8)
    stage = 8 * 16 + 16
    assert sum(value.numel() for value in model.decoder.parameters()) == top + rung + stage
    encoder = {"stages.0.1", *(f"heads.{i}.1.{j}" for i in (0, 1) for j in (0, 2, 4))}
    decoder = {
        "stages.0.2",
        "rungs.0.enter",
        "rungs.0.mix",
        *(f"{part}.{j}" for part in ("top.0", "rungs.0.mlp") for j in (0, 2, 4)),
    }
    assert {name.rsplit(".", 1)[0] for name in model.encoder.state_dict()} == encoder
    assert {name.rsplit(".", 1)[0] for name in model.decoder.state_dict()} == decoder


def test_training_reduces_loss() -> None:
    model = built("mlp", latent_dim=4, levels=2)
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(4, 1, 4, 4, generator=generator) > 0.5).float().repeat(16, 1, 1, 1)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    errors = []
    for step in range(300):
        optimizer.zero_grad()
        losses = model.loss(x, step=step, generator=generator)
        losses["loss"].backward()
        optimizer.step()
        errors.append(losses["reconstruction"].item())
    assert errors[-1] < 0.2 * errors[0]
