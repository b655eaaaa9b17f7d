"""Ladder network: chunks of latents leave the encoder and enter the decoder at several depths of any network.

z~_k = v_k(z_k), z~_l = f_l([z~_l+1; v_l(z_l)]), and each z_l is read from the encoder's features of its own depth
(Zhao, Song and Ermon 2017, "Learning Hierarchical Features from Generative Models"). Here chunk 0 is the top, z_k.
v_k: MLP[64, 128] to the features that the decoder starts from. v_l: MLP[64, 128] to 16 features, the same at every
pixel, as in the published code of Leeb et al. (ICLR 2023); Zhao et al. give each pixel features of its own. f_l: a
learned 1x1 convolution from the concatenation to the channels that the network expects, then its stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor, nn

from lrx.models.layers.dense import dense
from lrx.models.layers.structural_decoder import (
    HIDDEN,
    chunk_sizes,
    feature_shapes,
    per_channel,
    spread_levels,
    through_stages,
)
from lrx.models.network import Network, NetworkFactory, mean_and_log_std

RUNG_FEATURES = 16
HEAD_SIDE = 4


def with_ladder(network: NetworkFactory, *, levels: int) -> NetworkFactory:
    """Replace encoder and decoder of a network by ladders over its stages; its own dense parts are dropped.

    levels: number of chunks of latents, from 1 to latent_dim (SettingError).
    """

    def build(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
        sizes = chunk_sizes(latent_dim, levels=levels)
        plain = network(observation_shape=observation_shape, latent_dim=latent_dim, heads=heads)
        encoder = LadderEncoder(plain, sizes, observation_shape=observation_shape, heads=heads)
        return replace(plain, encoder=encoder, decoder=LadderDecoder(plain, sizes), split=mean_and_log_std)

    return build


class LadderEncoder(nn.Module):
    """Encoder of observations (B, *observation_shape) to (B, heads * D): all means, then all log standard deviations.

    Chunks are read after evenly spaced encoder stages, chunk 0 after the last one, in mirror image of the decoder.
    """

    def __init__(
        self, network: Network, sizes: Sequence[int], *, observation_shape: tuple[int, ...], heads: int
    ) -> None:
        super().__init__()
        last = len(network.encoder_stages) - 1
        self._depths = tuple(last - place for place in spread_levels(len(sizes), num_places=last + 1))
        _, *shapes = feature_shapes(network.encoder_stages, observation_shape)
        self.stages = nn.ModuleList(network.encoder_stages)
        self.heads = nn.ModuleList(
            _head(shapes[depth], heads=heads, size=size) for size, depth in zip(sizes, self._depths, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Encode (B, *observation_shape) to (B, heads * D)."""
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        chunks = [head(features[depth]) for head, depth in zip(self.heads, self._depths, strict=True)]
        return torch.cat(chunks, dim=2).flatten(1)


class LadderDecoder(nn.Module):
    """Decoder of latents (B, D) to logits (B, *observation_shape); sizes: number of latents of each level."""

    def __init__(self, network: Network, sizes: Sequence[int]) -> None:
        super().__init__()
        start = network.decoder_start
        self._sizes = list(sizes)
        self._places = spread_levels(len(sizes), num_places=len(network.decoder_stages))[1:]
        shapes = feature_shapes(network.decoder_stages, start)
        self.top = nn.Sequential(_mlp(sizes[0], *HIDDEN, prod(start)), nn.Unflatten(1, start))
        self.rungs = nn.ModuleList(
            Rung(size, shapes[place]) for size, place in zip(sizes[1:], self._places, strict=True)
        )
        self.stages = nn.ModuleList(network.decoder_stages)

    def forward(self, z: Tensor) -> Tensor:
        """Decode (B, D) to (B, *observation_shape)."""
        top, *chunks = torch.split(z, self._sizes, dim=1)
        return through_stages(self.top(top), self.stages, zip(self.rungs, chunks, self._places, strict=True))


class Rung(nn.Module):
    """Layer x <- W [x; v(chunk)] + b, the same W at every pixel; the term of v is computed once per image."""

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        channels = shape[0]
        self.mlp = _mlp(size, *HIDDEN, RUNG_FEATURES)
        self.enter = nn.Linear(RUNG_FEATURES, channels)
        self.mix = (
            nn.Conv2d(channels, channels, 1, bias=False)
            if len(shape) == 3
            else nn.Linear(channels, channels, bias=False)
        )
        with torch.no_grad():  # start from the identity: random mixings in series would damp features
            self.mix.weight.copy_(torch.eye(channels).view_as(self.mix.weight))

    def forward(self, x: Tensor, chunk: Tensor) -> Tensor:
        """Map features (B, *shape) and latents (B, size) to features (B, *shape)."""
        mixed: Tensor = self.mix(x) + per_channel(self.enter(self.mlp(chunk)), x)
        return mixed


def _head(shape: tuple[int, ...], *, heads: int, size: int) -> nn.Sequential:
    """Build MLP[128, 64] from features (B, *shape) to (B, heads, size), with maps averaged to 4 x 4 before.

    Without the average a large map would need millions of weights; deep maps are of that size already.
    """
    pooling = [nn.AvgPool2d(max(1, shape[-1] // HEAD_SIDE))] if len(shape) == 3 else []
    *_, (inputs,) = feature_shapes([*pooling, nn.Flatten()], shape)
    return nn.Sequential(
        *pooling, nn.Flatten(), _mlp(inputs, *HIDDEN[::-1], heads * size), nn.Unflatten(1, (heads, size))
    )


def _mlp(*widths: int) -> nn.Sequential:
    return nn.Sequential(*dense(widths))
