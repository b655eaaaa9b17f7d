"""Groups of 3x3 convolutions between images and 2 x 2 features, as in the networks of Leeb et al.

Down: convolution, max-pooling, GroupNorm, ELU. Up: bilinear doubling, convolution, GroupNorm, ELU. The last doubling
and convolution, to logits, have no norm. Source: the published state dict of Leeb et al. 2022, and the configuration
files of github.com/felixludos/learn_rep.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from lrx.models.layers.dense import dense
from lrx.models.layers.upsample_conv import UpsampleConv
from lrx.models.network import Network, mean_and_log_std

GROUPS = 8  # of GroupNorm


class Down(nn.Module):
    """Convolution, max-pooling where asked, GroupNorm, ELU: (B, C, H, W) to (B, width, H/2, W/2)."""

    def __init__(self, channels: int, width: int, *, kernel: int, halve: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
        self.pool = nn.MaxPool2d(2) if halve else nn.Identity()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.act = nn.ELU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, width, H/2, W/2), or to (B, width, H, W) without halving."""
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
        """Map (B, width, H, W) to (B, width, 2H, 2W), or to the same shape without doubling."""
        out: Tensor = self.act(self.norm(self.conv(self.up(x))))
        return out


def conv_groups(
    *,
    channels: int,
    width: int,
    down: Sequence[int],
    up: Sequence[int],
    hidden: Sequence[int],
    latent_dim: int,
    heads: int,
) -> Network:
    """Build groups of convolutions between images and 2 x 2 features, and an MLP between these and the latents.

    down: convolutions of each group of the encoder (the first of 5x5); the last of a group halves. up: convolutions of
    the decoder at 2, 4, 8, ... pixels. hidden: widths of the encoder's MLP, mirrored in the decoder.
    """
    halves = [place == size for size in down for place in range(1, size + 1)]
    doubles = [level > 0 and place == 0 for level, size in enumerate(up) for place in range(size)]
    first = Down(channels, width, kernel=5, halve=halves[0])
    start = (width, 2, 2)
    encoder = nn.Sequential(
        first,
        *(Down(width, width, kernel=3, halve=halve) for halve in halves[1:]),
        nn.Sequential(nn.Flatten(), *dense([math.prod(start), *hidden, heads * latent_dim])),
    )
    decoder = nn.Sequential(
        nn.Sequential(*dense([latent_dim, *hidden[::-1], math.prod(start)]), nn.Unflatten(1, start)),
        *(Up(width, double=double) for double in doubles),
        UpsampleConv(width, channels),
    )
    return Network(encoder, decoder, mean_and_log_std, tuple(encoder)[:-1], start, tuple(decoder)[1:])
