"""conv5: the network of Leeb et al. 2022 for 3D Shapes, under the key names of their published weights.

Encoder: five convolutions (5x5, then 3x3, 64 channels), each followed by max-pooling, GroupNorm and ELU, then an MLP
256, 128, heads. Decoder: MLP 128, 256 -> 64 x 2 x 2, five times [bilinear doubling, 3x3 convolution, GroupNorm, ELU],
the last without norm. Source: the paper's appendix and published state dict.
"""

from __future__ import annotations

from torch import Tensor, nn

from lrx.models.layers.upsample_conv import UpsampleConv
from lrx.models.network import Network, image_channels, mean_and_log_std

WIDTH = 64
GROUPS = 8


class Down(nn.Module):
    """Convolution, halving by max-pooling, GroupNorm, ELU: (B, C, H, W) to (B, 64, H/2, W/2)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, WIDTH, kernel, padding=kernel // 2)
        self.pool = nn.MaxPool2d(2)
        self.norm = nn.GroupNorm(GROUPS, WIDTH)
        self.act = nn.ELU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 64, H/2, W/2)."""
        out: Tensor = self.act(self.norm(self.pool(self.conv(x))))
        return out


class Up(nn.Module):
    """Bilinear doubling, convolution, GroupNorm, ELU: (B, 64, H, W) to (B, 64, 2H, 2W)."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.conv = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.norm = nn.GroupNorm(GROUPS, WIDTH)
        self.act = nn.ELU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 64, H, W) to (B, 64, 2H, 2W)."""
        out: Tensor = self.act(self.norm(self.conv(self.up(x))))
        return out


def conv5(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
    """510,067 parameters at C = 3, D = 24 and two heads. ValueError unless the images are 64 x 64."""
    channels = image_channels(observation_shape, side=64, network="conv5")
    down = (Down(channels, 5), *(Down(WIDTH, 3) for _ in range(4)))
    encoder = nn.Sequential(
        *down,
        nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(256, 256), nn.ELU(inplace=True)),
            *(nn.Linear(256, 128), nn.ELU(inplace=True)),
            nn.Linear(128, heads * latent_dim),
        ),
    )
    decoder = nn.Sequential(
        nn.Sequential(
            *(nn.Linear(latent_dim, 128), nn.ELU(inplace=True)),
            *(nn.Linear(128, 256), nn.ELU(inplace=True)),
            nn.Linear(256, 256),
            nn.Unflatten(1, (WIDTH, 2, 2)),
        ),
        *(Up() for _ in range(4)),
        UpsampleConv(WIDTH, channels),
    )
    return Network(encoder, decoder, mean_and_log_std, down, (WIDTH, 2, 2), tuple(decoder)[1:])
