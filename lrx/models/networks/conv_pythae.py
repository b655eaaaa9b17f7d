"""conv_pythae: the convolutional network for CelebA that comes with pythae, under its layers' numbers.

Encoder: four convolutions to 128, 256, 512, 1024 channels (k4, stride 2, padding 1), each with BatchNorm and ReLU, then
the heads; decoder: 1024 x 8 x 8, transposed convolutions of k5 to 512, 256, 128 (stride 2, BatchNorm, ReLU) and C.
Source: pythae (Chadebec, Vincent and Allassonnière 2022), its benchmark networks; they follow Tolstikhin et al. 2018.
"""

from __future__ import annotations

import itertools

from torch import nn

from lrx.models.layers.transposed_conv import TransposedConv
from lrx.models.network import Network, image_channels, mean_and_log_variance


def conv_pythae(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
    """Build 34,594,563 parameters at C = 3, D = 64 and two heads. ValueError unless the images are 64 x 64."""
    channels = image_channels(observation_shape, side=64, network="conv_pythae")
    widths = (channels, 128, 256, 512, 1024)
    down = tuple(
        nn.Sequential(nn.Conv2d(width, out, 4, 2, 1), nn.BatchNorm2d(out), nn.ReLU(inplace=True))
        for width, out in itertools.pairwise(widths)
    )
    encoder = nn.Sequential(*down, nn.Sequential(nn.Flatten(), nn.Linear(1024 * 4 * 4, heads * latent_dim)))
    # paddings 2, 1, 2 and an extra line: 8 to 15, 31, 62 pixels
    shapes = ((1024, 512, 2, 0), (512, 256, 1, 0), (256, 128, 2, 1))
    up = (
        *(
            nn.Sequential(TransposedConv(width, out, 5, 2, padding, extra), nn.BatchNorm2d(out), nn.ReLU(inplace=True))
            for width, out, padding, extra in shapes
        ),
        nn.Sequential(TransposedConv(128, channels, 5, 1, 1)),
    )
    start = (1024, 8, 8)
    decoder = nn.Sequential(nn.Sequential(nn.Linear(latent_dim, 1024 * 8 * 8), nn.Unflatten(1, start)), *up)
    return Network(encoder, decoder, mean_and_log_variance, down, start, up)
