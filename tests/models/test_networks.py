"""Networks: published sizes and names, heads, and stages that are the encoder's and decoder's own layers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import lrx.configs
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from lrx.models.network import Network
from lrx.models.networks.burgess import burgess, interleaved_mean_and_log_variance
from lrx.models.networks.conv12 import conv12
from lrx.models.networks.conv16 import conv16
from lrx.models.vae import VAE

FOLDER = Path(lrx.configs.__path__[0]) / "network"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SIDES = (64, 128)
every_network = pytest.mark.parametrize("name", NAMES)


@functools.cache
def shape_of(name: str) -> tuple[int, int, int]:
    """The shape of colour images that a network takes."""
    for side in SIDES:
        try:
            build(name, (3, side, side))
        except ValueError:
            continue
        return 3, side, side
    raise AssertionError(f"network={name} takes no images of {SIDES}")


def build(name: str, shape: tuple[int, ...], heads: int = 2) -> Network:
    torch.manual_seed(0)
    factory = instantiate(OmegaConf.load(FOLDER / f"{name}.yaml"), _convert_="all")
    network: Network = factory(observation_shape=shape, latent_dim=4, heads=heads)
    return network


@functools.cache
def built(name: str) -> Network:
    return build(name, shape_of(name))


def inputs_of(layer: nn.Module, run: Callable[[], object]) -> Tensor:
    """What a layer reads while the network runs."""
    read: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: read.append(given[0].detach().clone()))
    with torch.no_grad():
        run()
    hook.remove()
    (found,) = read
    return found


def leaves(*modules: nn.Module) -> list[nn.Module]:
    """The layers inside modules that hold parameters or compute, without containers."""
    return [part for module in modules for part in module.modules() if not list(part.children())]


def parameters(network: Network) -> int:
    return sum(value.numel() for part in (network.encoder, network.decoder) for value in part.parameters())


def test_documented_number_of_parameters() -> None:
    assert parameters(burgess(observation_shape=(1, 64, 64), latent_dim=10, heads=2)) == 502_005
    # conv12: convolutions 4,864 + 11 x 36,928 and 12 norms of 128, MLP 65,792 + 32,896 + 3,096; back:
    # MLP 1,664 + 33,024 + 65,792, convolutions 11 x 36,928 + 1,731 and 11 norms
    found = parameters(conv12(observation_shape=(3, 64, 64), latent_dim=12, heads=2))
    assert found == 514_392 + 509_827 == 1_024_219
    # conv16: 9,728 + 15 x 147,584 and 16 norms of 256, MLP 262,656 + 131,328 + 32,896 + 8,256; back:
    # MLP 4,224 + 33,024 + 131,584 + 262,656, convolutions 15 x 147,584 + 3,459 and 15 norms
    found = parameters(conv16(observation_shape=(3, 128, 128), latent_dim=32, heads=2))
    assert found == 2_662_720 + 2_652_547 == 5_315_267


@pytest.mark.parametrize(("network", "side", "count"), [(conv12, 64, 12), (conv16, 128, 16)])
def test_number_of_convolutions_in_name(network: Callable[..., Network], side: int, count: int) -> None:
    parts = network(observation_shape=(3, side, side), latent_dim=2, heads=2)
    for part in (parts.encoder, parts.decoder):
        assert sum(isinstance(layer, nn.Conv2d) for layer in part.modules()) == count
    x, sides = torch.zeros(1, 3, side, side), []
    with torch.no_grad():
        for stage in parts.encoder_stages:
            sides.append(x.shape[-1])
            x = stage(x)
    halvings = len(set(sides))
    assert x.shape[-1] == side // 2**halvings == 2
    assert sides.count(side) == 1  # one convolution alone is paid for at full resolution


def test_burgess_keys_of_published_weights() -> None:
    model = VAE(
        network=burgess,
        observation_shape=(1, 64, 64),
        latent_dim=10,
        reconstruction="bernoulli",
        variance=1.0,
        kl="exact",
    )
    encoder = ("conv1", "conv2", "conv3", "conv_64", "lin1", "lin2", "mu_logvar_gen")
    decoder = ("lin1", "lin2", "lin3", "convT_64", "convT1", "convT2", "convT3")
    layers = [f"encoder.{name}" for name in encoder] + [f"decoder.{name}" for name in decoder]
    assert list(model.state_dict()) == [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
    assert model.state_dict()["encoder.mu_logvar_gen.weight"].shape == (20, 256)
    assert model.state_dict()["decoder.lin3.weight"].shape == (512, 256)


def test_burgess_interleaves_mean_and_log_variance() -> None:
    mean, log_std = interleaved_mean_and_log_variance(torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]))
    assert mean.tolist() == [[1.0, 3.0], [5.0, 7.0]]
    assert log_std.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("heads", [1, 2])
@every_network
def test_encoder_outputs_are_heads_times_latents(name: str, heads: int) -> None:
    shape = shape_of(name)
    with torch.no_grad():
        assert build(name, shape, heads).encoder(torch.zeros(2, *shape)).shape == (2, 4 * heads)


@every_network
def test_grey_images(name: str) -> None:
    shape = (1, *shape_of(name)[1:])
    parts = build(name, shape)
    with torch.no_grad():
        mean, log_std = parts.split(parts.encoder(torch.zeros(2, *shape)))
        assert mean.shape == log_std.shape == (2, 4)
        assert parts.decoder(mean).shape == (2, *shape)


@every_network
def test_encoder_stages_equal_encoder(name: str) -> None:
    parts, shape = built(name), shape_of(name)
    x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    staged = {id(layer) for layer in leaves(*parts.encoder_stages)}
    after = next(layer for layer in leaves(parts.encoder) if isinstance(layer, nn.Linear) and id(layer) not in staged)
    features = inputs_of(after, lambda: parts.encoder(x))
    with torch.no_grad():
        for stage in parts.encoder_stages:
            x = stage(x)
    torch.testing.assert_close(x.flatten(1), features)


@every_network
def test_decoder_stages_equal_decoder(name: str) -> None:
    parts, shape = built(name), shape_of(name)
    z = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    features = inputs_of(leaves(parts.decoder_stages[0])[0], lambda: parts.decoder(z))
    assert features.shape == (2, *parts.decoder_start)
    with torch.no_grad():
        for stage in parts.decoder_stages:
            features = stage(features)
        expected = parts.decoder(z)
    assert expected.shape == (2, *shape)
    torch.testing.assert_close(features, expected)
    assert expected.min() < 0 < expected.max()  # logits, whose sigmoid decode takes


@every_network
def test_stages_share_weights_and_end_with_activation(name: str) -> None:
    parts = built(name)
    for whole, stages in ((parts.encoder, parts.encoder_stages), (parts.decoder, parts.decoder_stages)):
        own = {id(weight) for weight in whole.parameters()}
        assert all(id(weight) in own for stage in stages for weight in stage.parameters())
        hidden = stages if whole is parts.encoder else stages[:-1]
        assert all(isinstance(leaves(stage)[-1], nn.ELU | nn.ReLU) for stage in hidden)
    assert not isinstance(leaves(parts.decoder_stages[-1])[-1], nn.ELU | nn.ReLU)


@pytest.mark.parametrize(("network", "side"), [(burgess, 64), (conv12, 64), (conv16, 128)])
def test_wrong_image_shape_is_refused(network: Callable[..., Network], side: int) -> None:
    with pytest.raises(
        ValueError, match=rf"network={network.__name__} reads {side} x {side} images, not \(3, 32, 32\)"
    ):
        network(observation_shape=(3, 32, 32), latent_dim=2, heads=2)
    with pytest.raises(ValueError, match="network=mlp"):
        network(observation_shape=(3,), latent_dim=2, heads=2)
