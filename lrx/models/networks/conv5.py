"""conv5: the network of Leeb et al. 2022 for 3D Shapes, under the key names of their published weights.

Encoder: five convolutions (5x5, then 3x3, 64 channels), each followed by max-pooling, GroupNorm and ELU, then an MLP
256, 128, heads. Decoder: MLP 128, 256 -> 64 x 2 x 2, five times [bilinear doubling, 3x3 convolution, GroupNorm, ELU],
the last without norm. Source: the paper's appendix and published state dict.
"""

from __future__ import annotations

from lrx.models.layers.conv_groups import conv_groups
from lrx.models.network import Network, image_channels


def conv5(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
    """Build 510,067 parameters at C = 3, D = 24 and two heads. ValueError unless the images are 64 x 64."""
    return conv_groups(
        channels=image_channels(observation_shape, side=64, network="conv5"),
        width=64,
        down=(1, 1, 1, 1, 1),
        up=(0, 1, 1, 1, 1),
        hidden=(256, 128),
        latent_dim=latent_dim,
        heads=heads,
    )
