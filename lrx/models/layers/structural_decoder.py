"""A decoder that starts from a learned constant and meets the latents layer by layer, over any network's stages.

At level i of k the features become x <- sigma_i x + mu_i per channel, (mu_i, log sigma_i) = MLP[64, 128](chunk i of
the latents); between levels run the network's own decoder stages. Source: Leeb et al., "Structure by Architecture",
ICLR 2023 (arXiv 2006.07796), there Str-Tfm layers. As in their published code the constant starts as standard normal
noise, sigma is an exponential and features are not normalised: fresh layers give small numbers, so that sigma starts
near 1 and mu near 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from lrx.core.validation import SettingError, is_whole
from lrx.models.network import Network, NetworkFactory

HIDDEN = (64, 128)


def with_structural_decoder(network: NetworkFactory, *, levels: int, shared: bool) -> NetworkFactory:
    """The network with a structural decoder; its encoder stays, the dense part of its own decoder is dropped.

    levels: how many layers read latents, from 1 to latent_dim (ValueError). shared: every layer reads all latents,
    instead of a chunk of its own.
    """

    def build(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
        sizes = chunk_sizes(latent_dim, levels=levels)
        plain = network(observation_shape=observation_shape, latent_dim=latent_dim, heads=heads)
        decoder = StructuralDecoder(plain, (latent_dim,) * levels if shared else sizes, shared=shared)
        return replace(plain, decoder=decoder)

    return build


class StructuralDecoder(nn.Module):
    """Latents (B, D) to logits (B, *observation_shape); sizes: how many latents each layer reads."""

    def __init__(self, network: Network, sizes: Sequence[int], *, shared: bool) -> None:
        super().__init__()
        self._sizes, self._shared = list(sizes), shared
        self._places = spread_levels(len(sizes), num_places=len(network.decoder_stages))
        shapes = feature_shapes(network.decoder_stages, network.decoder_start)
        self.constant = nn.Parameter(torch.randn(network.decoder_start))
        self.layers = nn.ModuleList(
            StructuralLayer(size, shapes[place][0]) for size, place in zip(sizes, self._places, strict=True)
        )
        self.stages = nn.ModuleList(network.decoder_stages)

    def forward(self, z: Tensor) -> Tensor:
        """(B, D) to (B, *observation_shape)."""
        chunks = (z,) * len(self._sizes) if self._shared else torch.split(z, self._sizes, dim=1)
        x = self.constant.expand(len(z), *self.constant.shape)
        return through_stages(x, self.stages, zip(self.layers, chunks, self._places, strict=True))


class StructuralLayer(nn.Module):
    """x <- sigma x + mu, both per channel and read from a chunk of the latents."""

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.mlp = two_hidden(size, *HIDDEN, 2 * channels)

    def forward(self, x: Tensor, chunk: Tensor) -> Tensor:
        """Features (B, C, ...) and latents (B, size) to features (B, C, ...)."""
        mu, log_sigma = self.mlp(chunk).chunk(2, dim=1)
        return per_channel(log_sigma.exp(), x) * x + per_channel(mu, x)


def chunk_sizes(latent_dim: int, *, levels: int) -> tuple[int, ...]:
    """How many latents each level has, as even as can be: the first latent_dim mod levels have one more."""
    if not is_whole(levels, 1) or levels > latent_dim:
        raise SettingError(
            f"levels must be a whole number from 1 to latent_dim={latent_dim}, not {levels!r}; "
            "give each level at least one latent"
        )
    size, rest = divmod(latent_dim, levels)
    return tuple(size + (level < rest) for level in range(levels))


def spread_levels(levels: int, *, num_places: int) -> tuple[int, ...]:
    """The place of each level, spread evenly and in order: floor(i num_places / levels)."""
    return tuple(level * num_places // levels for level in range(levels))


def feature_shapes(stages: Iterable[nn.Module], start: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The shape of the features before the first stage and after each, without the batch's axis."""
    shapes, x = [start], torch.zeros(1, *start)
    with torch.no_grad():
        for stage in stages:
            mode = stage.training
            x = stage.eval()(x)  # so that no statistics of a batch are kept
            stage.train(mode)
            shapes.append(tuple(x.shape[1:]))
    return shapes


def through_stages(x: Tensor, stages: nn.ModuleList, entries: Iterable[tuple[nn.Module, Tensor, int]]) -> Tensor:
    """Features through the stages, one after another; an entry's layer puts its chunk in before the stage it names."""
    entries = list(entries)
    for number, stage in enumerate(stages):
        for layer, chunk, place in entries:
            if place == number:
                x = layer(x, chunk)
        x = stage(x)
    return x


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """Values (B, C) with as many axes as features x (B, C, ...), to broadcast over space."""
    return values.view(*values.shape, *(1 for _ in x.shape[2:]))


def two_hidden(inputs: int, first: int, second: int, outputs: int) -> nn.Sequential:
    """An MLP with two hidden layers and ELU."""
    return nn.Sequential(
        *(nn.Linear(inputs, first), nn.ELU(inplace=True)),
        *(nn.Linear(first, second), nn.ELU(inplace=True)),
        nn.Linear(second, outputs),
    )
