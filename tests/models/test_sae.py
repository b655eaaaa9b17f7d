"""Structural decoders: which features a chunk of latents can reach, what they hold, and that they learn."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor, nn

from lrx.models.adaae import AdaAE
from lrx.models.layers.structural_decoder import StructuralLayer, chunk_sizes, spread_levels
from lrx.models.networks.conv5 import conv5
from lrx.models.networks.conv64 import conv64
from lrx.models.networks.mlp import mlp
from lrx.models.sae import SAE
from tests.support.models_for_tests import stage_inputs

NETWORKS = {
    "mlp": (functools.partial(mlp, hidden=[8, 8, 8, 8], activation="elu", spread="log_std"), (5,)),
    "conv64": (conv64, (1, 64, 64)),
    "conv5": (conv5, (3, 64, 64)),
}


def built(cls: type[SAE] | type[AdaAE], network: str, *, latent_dim: int, levels: int) -> SAE | AdaAE:
    torch.manual_seed(0)
    factory, shape = NETWORKS[network]
    settings = {"observation_shape": shape, "latent_dim": latent_dim, "reconstruction": "gaussian", "variance": 1.0}
    return cls(network=factory, levels=levels, **settings)


def test_chunk_sizes() -> None:
    assert chunk_sizes(12, levels=6) == (2,) * 6
    assert chunk_sizes(11, levels=4) == (3, 3, 3, 2)
    assert chunk_sizes(5, levels=1) == (5,)
    assert chunk_sizes(5, levels=5) == (1,) * 5


def test_levels_are_evenly_spaced() -> None:
    assert spread_levels(2, num_places=4) == (0, 2)
    assert spread_levels(3, num_places=4) == (0, 1, 2)
    assert spread_levels(4, num_places=4) == (0, 1, 2, 3)
    assert spread_levels(6, num_places=4) == (0, 0, 1, 2, 2, 3)
    assert spread_levels(12, num_places=4) == (0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3)


@pytest.mark.parametrize("cls", [SAE, AdaAE])
@pytest.mark.parametrize("levels", [0, 13, 2.0, True, None])
def test_invalid_levels_are_refused(cls: type[SAE], levels: object) -> None:
    with pytest.raises(ValueError, match=r"levels must be a whole number from 1 to latent_dim=12, not"):
        built(cls, "mlp", latent_dim=12, levels=levels)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("levels", [1, 3, 6, 12])
def test_chunk_changes_features_from_its_stage_on(network: str, levels: int) -> None:
    model = built(SAE, network, latent_dim=12, levels=levels)
    z = torch.randn(2, 12, generator=torch.Generator().manual_seed(1))
    plain = stage_inputs(model.decoder, z)
    size = 12 // levels
    for level, place in enumerate(spread_levels(levels, num_places=len(model.decoder.stages))):
        moved = z.clone()
        moved[:, level * size : (level + 1) * size] += 1
        changed = [not torch.equal(*pair) for pair in zip(plain, stage_inputs(model.decoder, moved), strict=True)]
        assert changed == [stage >= place for stage in range(len(plain))]


def test_adaae_layers_read_all_latents() -> None:
    model = built(AdaAE, "mlp", latent_dim=5, levels=3)
    z = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    given: list[Tensor] = []
    for layer in model.decoder.layers:
        layer.register_forward_pre_hook(lambda _, inputs: given.append(inputs[1]))
    plain = stage_inputs(model.decoder, z)
    assert len(given) == 3
    assert all(torch.equal(chunk, z) for chunk in given)
    for latent in range(5):  # from the decoder's start on
        moved = z.clone()
        moved[:, latent] += 1
        assert not any(torch.equal(*pair) for pair in zip(plain, stage_inputs(model.decoder, moved), strict=True))


def test_sae_equals_adaae_with_one_level() -> None:
    sae, ada = (built(cls, "mlp", latent_dim=3, levels=1) for cls in (SAE, AdaAE))
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(sae.decode(z), ada.decode(z))


@pytest.mark.parametrize("cls", [SAE, AdaAE])
def test_zero_weights_give_constant_decoder(cls: type[SAE]) -> None:
    model = built(cls, "conv64", latent_dim=4, levels=4)
    for layer in model.decoder.layers:
        nn.init.zeros_(layer.mlp[-1].weight)
        nn.init.zeros_(layer.mlp[-1].bias)
    z = 3 * torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    decoded = model.decode(z)
    constant = model.decoder.constant
    assert torch.equal(stage_inputs(model.decoder, z)[0], constant.expand(3, -1, -1, -1))
    expected = constant[None]
    for stage in model.decoder.stages:
        expected = stage(expected)
    torch.testing.assert_close(decoded, torch.sigmoid(expected).expand_as(decoded))


def test_layer_scales_and_shifts_channels() -> None:
    layer = StructuralLayer(1, channels=2).double()
    nn.init.zeros_(layer.mlp[-1].weight)
    layer.mlp[-1].bias.data = torch.tensor([10.0, 20.0, torch.log(torch.tensor(2.0)), 0.0]).double()
    x = torch.arange(8, dtype=torch.float64).view(1, 2, 2, 2)
    expected = torch.stack([2 * x[:, 0] + 10, x[:, 1] + 20], dim=1)
    torch.testing.assert_close(layer(x, torch.zeros(1, 1).double()), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(layer(x[..., 0, 0], torch.zeros(1, 1).double()), expected[..., 0, 0], rtol=0, atol=1e-6)


def test_initial_layers_are_close_to_identity() -> None:
    torch.manual_seed(0)
    mu, log_sigma = StructuralLayer(2, channels=64).mlp(torch.randn(100, 2)).chunk(2, dim=1)
    assert mu.abs().mean() < 0.2
    assert (log_sigma.exp() - 1).abs().mean() < 0.2


def test_number_of_parameters() -> None:
    torch.manual_seed(0)
    model = SAE(
        network=functools.partial(mlp, hidden=[8], activation="elu", spread="log_std"),
        observation_shape=(1, 4, 4),
        latent_dim=3,
        levels=2,
        reconstruction="bernoulli",
        variance=1.0,
    )
    encoder = (16 * 8 + 8) + (8 * 3 + 3)
    hidden = 64 * 128 + 128
    layers = [(size * 64 + 64) + hidden + (128 * 16 + 16) for size in (2, 1)]  # mu and sigma of 8 channels
    stage = 8 * 16 + 16
    assert sum(value.numel() for value in model.encoder.parameters()) == encoder
    assert sum(value.numel() for value in model.decoder.parameters()) == 8 + sum(layers) + stage
    names = {name.rsplit(".", 1)[0] for name in model.decoder.state_dict()}
    assert names == {"constant", "stages.0.2", *(f"layers.{i}.mlp.{j}" for i in (0, 1) for j in (0, 2, 4))}


@pytest.mark.parametrize("cls", [SAE, AdaAE])
def test_training_reduces_loss(cls: type[SAE]) -> None:
    model = built(cls, "mlp", latent_dim=2, levels=2)
    generator = torch.Generator().manual_seed(0)
    latents, directions = torch.randn(64, 2, generator=generator), torch.randn(2, 5, generator=generator)
    x = latents @ directions
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for step in range(300):
        optimizer.zero_grad()
        loss = model.loss(x, step=step, generator=generator)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
