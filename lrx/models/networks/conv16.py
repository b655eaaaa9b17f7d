"""conv16: sixteen convolutions of 128 channels for 128 x 128 images, such as CelebA's: conv12, one size up.

Encoder: a 5x5 convolution, then fifteen of 3x3, in groups of 1, 3, 3, 3, 3, 3, each of which halves the image at its
end; MLP 512, 256, 128, heads. Decoder: MLP 128, 256, 512 -> 128 x 2 x 2, then the mirror image: three convolutions at
each of 4, 8, 16, 32, 64 pixels, and one to logits at 128. Source: the configuration files a/e/conv16, a/d/conv16,
a/size/128 of github.com/felixludos/learn_rep (Leeb et al.).
"""

from __future__ import annotations

from lrx.models.layers.conv_groups import conv_groups
from lrx.models.network import Network, image_channels


def conv16(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
    """Build 5,315,267 parameters at C = 3, D = 32 and two heads; 10.1 GFLOP for encoding and decoding an image.

    Train it on a GPU. ValueError unless the images are 128 x 128.
    """
    return conv_groups(
        channels=image_channels(observation_shape, side=128, network="conv16"),
        width=128,
        down=(1, 3, 3, 3, 3, 3),
        up=(0, 3, 3, 3, 3, 3),
        hidden=(512, 256, 128),
        latent_dim=latent_dim,
        heads=heads,
    )
