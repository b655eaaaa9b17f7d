"""conv12: twelve convolutions of 64 channels for 64 x 64 images, the deeper network of the authors of conv5.

Encoder: a 5x5 convolution, then eleven of 3x3, in groups of 1, 3, 3, 3, 2; the last of each group halves the image by
max-pooling, each ends with GroupNorm and ELU; then an MLP 256, 128, heads. Decoder: MLP 128, 256 -> 64 x 2 x 2, eleven
3x3 convolutions, of which 1, 2, 3, 3, 2 run at 2, 4, 8, 16, 32 pixels (bilinear doubling before the first of each), and
a last doubling and convolution to logits. Only one convolution of each side runs at full resolution. Source: the
configuration files a/e/conv12, a/d/conv12, a/size/64 of github.com/felixludos/learn_rep (Leeb et al.).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn

from lrx.models.layers.upsample_conv import UpsampleConv
from lrx.models.network import Network, image_channels, mean_and_log_std

GROUPS = 8


def conv12(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
    """1,024,219 parameters at C = 3, D = 12 and two heads; 578 MFLOP for an image there and back.

    ValueError unless the images are 64 x 64.
    """
    channels = image_channels(observation_shape, side=64, network="conv12")
    return deep_convolutions(
        channels=channels,
        width=64,
        down=(1, 3, 3, 3, 2),
        up=(1, 2, 3, 3, 2),
        hidden=(256, 128),
        latent_dim=latent_dim,
        outputs=heads * latent_dim,
    )


class Down(nn.Module):
    """Convolution, halving by max-pooling where asked, GroupNorm, ELU: (B, C, H, W) to (B, width, H/2, W/2)."""

    def __init__(self, channels: int, width: int, *, kernel: int, halve: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
        self.pool = nn.MaxPool2d(2) if halve else nn.Identity()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.act = nn.ELU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, width, H/2, W/2), or (B, width, H, W) without halving."""
        out: Tensor = self.act(self.norm(self.pool(self.conv(x))))
        return out


class Up(nn.Module):
    """Bilinear doubling where asked, convolution, GroupNorm, ELU: (B, width, H, W) to (B, width, 2H, 2W)."""

    def __init__(self, width: int, *, double: bool) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False) if double else nn.Identity()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.GroupNorm(GROUPS, width)
        self.act = nn.ELU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to (B, width, 2H, 2W), or to the same shape without doubling."""
        out: Tensor = self.act(self.norm(self.conv(self.up(x))))
        return out


def deep_convolutions(
    *,
    channels: int,
    width: int,
    down: Sequence[int],
    up: Sequence[int],
    hidden: Sequence[int],
    latent_dim: int,
    outputs: int,
) -> Network:
    """Groups of convolutions between images and 2 x 2 features, and an MLP from there to the head.

    down: of each group of the encoder, its number of convolutions; the last of a group halves. up: of the decoder,
    its number at 2, 4, 8, ... pixels. hidden: the encoder's MLP; the decoder mirrors it.
    """
    halves = [place == size for size in down for place in range(1, size + 1)]
    doubles = [level > 0 and place == 0 for level, size in enumerate(up) for place in range(size)]
    first = Down(channels, width, kernel=5, halve=halves[0])
    start = (width, 2, 2)
    encoder = nn.Sequential(
        first,
        *(Down(width, width, kernel=3, halve=halve) for halve in halves[1:]),
        nn.Sequential(nn.Flatten(), *_mlp([math.prod(start), *hidden, outputs])),
    )
    decoder = nn.Sequential(
        nn.Sequential(*_mlp([latent_dim, *hidden[::-1], math.prod(start)]), nn.Unflatten(1, start)),
        *(Up(width, double=double) for double in doubles),
        UpsampleConv(width, channels),
    )
    return Network(encoder, decoder, mean_and_log_std, tuple(encoder)[:-1], start, tuple(decoder)[1:])


def _mlp(widths: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for wide, next_wide in itertools.pairwise(widths):
        layers += [nn.Linear(wide, next_wide), nn.ELU(inplace=True)]
    return layers[:-1]
