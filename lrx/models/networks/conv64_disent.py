"""conv64_disent: the conv64 of disent, whose encoder has kernels of 4 and a padding of 2 throughout.

Encoder 32, 32, 64, 64 channels (k4, stride 2, padding 2: 64 to 33, 17, 9, 5 pixels), 256, heads; the decoder is that of
conv64. Source: disent (Michlo 2021), EncoderConv64 and DecoderConv64; the order of layers is theirs.
"""

from __future__ import annotations

from torch import nn

from lrx.models.network import Network, image_channels, mean_and_log_variance
from lrx.models.networks.conv64 import conv64


def conv64_disent(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
    """Build 913,751 parameters at C = 3, D = 10 and two heads. ValueError unless the images are 64 x 64."""
    channels = image_channels(observation_shape, side=64, network="conv64_disent")
    encoder = nn.Sequential(
        *(nn.Conv2d(channels, 32, 4, 2, 2), nn.ReLU(inplace=True)),
        *(nn.Conv2d(32, 32, 4, 2, 2), nn.ReLU(inplace=True)),
        *(nn.Conv2d(32, 64, 4, 2, 2), nn.ReLU(inplace=True)),
        *(nn.Conv2d(64, 64, 4, 2, 2), nn.ReLU(inplace=True)),
        nn.Flatten(),
        *(nn.Linear(1600, 256), nn.ReLU(inplace=True)),
        nn.Linear(256, heads * latent_dim),
    )
    parts = conv64(observation_shape=observation_shape, latent_dim=latent_dim, heads=heads)
    down = tuple(encoder[i : i + 2] for i in range(0, 8, 2))
    return Network(encoder, parts.decoder, mean_and_log_variance, down, parts.decoder_start, parts.decoder_stages)
