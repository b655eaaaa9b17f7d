"""conv64: the convolutional network of the disentanglement study, for 64 x 64 images.

Encoder 32k4, 32k4, 64k2, 64k2 (all stride 2), 256, heads; decoder 256, 1024 -> 64 x 4 x 4, transposed convolutions
64, 32, 32, C (k4, stride 2); ReLU. Source: Locatello et al. 2019, "Challenging Common Assumptions", appendix, table 1.
"""

from __future__ import annotations

from torch import nn

from lrx.models.layers.transposed_conv import TransposedConv
from lrx.models.network import Network, image_channels, mean_and_log_variance


def conv64(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
    """Build 692,567 parameters at C = 3, D = 10 and two heads. ValueError unless the images are 64 x 64."""
    channels = image_channels(observation_shape, side=64, network="conv64")
    encoder = nn.Sequential(
        *(nn.Conv2d(channels, 32, 4, 2, 1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(32, 64, 2, 2), nn.ReLU(inplace=True)),
        *(nn.Conv2d(64, 64, 2, 2), nn.ReLU(inplace=True)),
        nn.Flatten(),
        *(nn.Linear(1024, 256), nn.ReLU(inplace=True)),
        nn.Linear(256, heads * latent_dim),
    )
    decoder = nn.Sequential(
        *(nn.Linear(latent_dim, 256), nn.ReLU(inplace=True)),
        *(nn.Linear(256, 1024), nn.ReLU(inplace=True)),
        nn.Unflatten(1, (64, 4, 4)),
        *(TransposedConv(64, 64, 4, 2, 1), nn.ReLU(inplace=True)),
        *(TransposedConv(64, 32, 4, 2, 1), nn.ReLU(inplace=True)),
        *(TransposedConv(32, 32, 4, 2, 1), nn.ReLU(inplace=True)),
        TransposedConv(32, channels, 4, 2, 1),
    )
    down = tuple(encoder[i : i + 2] for i in range(0, 8, 2))
    up = tuple(decoder[i : i + 2] for i in range(5, 12, 2))
    return Network(encoder, decoder, mean_and_log_variance, down, (64, 4, 4), up)
