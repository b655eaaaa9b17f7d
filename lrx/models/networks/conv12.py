"""conv12: twelve convolutions of 64 channels for 64 x 64 images, the deeper network of the authors of conv5.

Encoder: a 5x5 convolution, then eleven of 3x3, in groups of 1, 3, 3, 3, 2; the last of each group halves the image by
max-pooling, each ends with GroupNorm and ELU; then an MLP 256, 128, heads. Decoder: MLP 128, 256 -> 64 x 2 x 2, eleven
3x3 convolutions, of which 1, 2, 3, 3, 2 run at 2, 4, 8, 16, 32 pixels (bilinear doubling before the first of each), and
a last doubling and convolution to logits. Only one convolution of each side runs at full resolution. Source: the
configuration files a/e/conv12, a/d/conv12, a/size/64 of github.com/felixludos/learn_rep (Leeb et al.).
"""

from __future__ import annotations

from lrx.models.layers.conv_groups import conv_groups
from lrx.models.network import Network, image_channels


def conv12(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
    """Build 1,024,219 parameters at C = 3, D = 12 and two heads; 578 MFLOP for encoding and decoding an image.

    ValueError unless the images are 64 x 64.
    """
    return conv_groups(
        channels=image_channels(observation_shape, side=64, network="conv12"),
        width=64,
        down=(1, 3, 3, 3, 2),
        up=(1, 2, 3, 3, 2),
        hidden=(256, 128),
        latent_dim=latent_dim,
        heads=heads,
    )
