"""Structural decoder: starts from a learned constant and reads the latents level by level, over any network's stages.

At level i of k the features become x <- sigma_i x + mu_i per channel, (mu_i, log sigma_i) = MLP[64, 128](chunk i of
the latents), before a stage of the network's own decoder. Source: Leeb et al., "Structure by Architecture",
ICLR 2023 (arXiv 2006.07796), there Str-Tfm layers. As in their published code the constant is
initialised with standard normal noise, sigma is an exponential and features are not normalised: new layers give small
numbers, so sigma starts near 1 and mu near 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from lrx.core.validation import SettingError, is_whole
from lrx.models.layers.dense import dense
from lrx.models.network import Network, NetworkFactory

HIDDEN = (64, 128)


def with_structural_decoder(network: NetworkFactory, *, levels: int, shared: bool) -> NetworkFactory:
    """Replace the decoder of a network by a structural decoder over its decoder stages; its encoder stays.

    levels: number of layers that read latents, from 1 to latent_dim (SettingError). shared: every layer reads all
    latents instead of a chunk of its own.
    """

    def build(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
        sizes = chunk_sizes(latent_dim, levels=levels)
        plain = network(observation_shape=observation_shape, latent_dim=latent_dim, heads=heads)
        decoder = StructuralDecoder(plain, (latent_dim,) * levels if shared else sizes, shared=shared)
        return replace(plain, decoder=decoder)

    return build


class StructuralDecoder(nn.Module):
    """Decoder of latents (B, D) to logits (B, *observation_shape); sizes: number of latents that each layer reads."""

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
        """Decode (B, D) to (B, *observation_shape)."""
        chunks = (z,) * len(self._sizes) if self._shared else torch.split(z, self._sizes, dim=1)
        x = self.constant.expand(len(z), *self.constant.shape)
        return through_stages(x, self.stages, zip(self.layers, chunks, self._places, strict=True))


class StructuralLayer(nn.Module):
    """Layer x <- sigma x + mu, both per channel and computed from a chunk of the latents."""

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(*dense([size, *HIDDEN, 2 * channels]))

    def forward(self, x: Tensor, chunk: Tensor) -> Tensor:
        """Map features (B, C, ...) and latents (B, size) to features (B, C, ...)."""
        mu, log_sigma = self.mlp(chunk).chunk(2, dim=1)
        return per_channel(log_sigma.exp(), x) * x + per_channel(mu, x)


def chunk_sizes(latent_dim: int, *, levels: int) -> tuple[int, ...]:
    """Return the number of latents of each level, evenly divided: the first latent_dim mod levels have one more."""
    if not is_whole(levels, 1) or levels > latent_dim:
        raise SettingError(
            f"levels must be a whole number from 1 to latent_dim={latent_dim}, not {levels!r}; "
            "give each level at least one latent"
        )
    size, rest = divmod(latent_dim, levels)
    return tuple(size + (level < rest) for level in range(levels))


def spread_levels(levels: int, *, num_places: int) -> tuple[int, ...]:
    """Return the stage before which each level enters, evenly spaced: floor(i num_places / levels)."""
    return tuple(level * num_places // levels for level in range(levels))


def feature_shapes(stages: Iterable[nn.Module], start: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shapes of the features before the first stage and after each, without the batch axis."""
    shapes, x = [start], torch.zeros(1, *start)
    with torch.no_grad():
        for stage in stages:
            mode = stage.training
            x = stage.eval()(x)  # leaves running statistics unchanged
            stage.train(mode)
            shapes.append(tuple(x.shape[1:]))
    return shapes


def through_stages(x: Tensor, stages: nn.ModuleList, entries: Iterable[tuple[nn.Module, Tensor, int]]) -> Tensor:
    """Run the stages in order; before stage `place` of an entry (layer, chunk, place), x becomes layer(x, chunk)."""
    entries = list(entries)
    for number, stage in enumerate(stages):
        for layer, chunk, place in entries:
            if place == number:
                x = layer(x, chunk)
        x = stage(x)
    return x


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """Give values (B, C) the number of axes of features x (B, C, ...), to broadcast over space."""
    return values.view(*values.shape, *(1 for _ in x.shape[2:]))
