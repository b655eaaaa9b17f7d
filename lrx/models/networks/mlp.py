"""mlp: fully connected encoder and decoder, for vectors such as the double helix, or for small images.

The paper's toy uses four hidden layers of 32 with ELU (Leeb et al. 2022, appendix).
"""

from __future__ import annotations

import itertools
import math

from torch import nn

from lrx.models.network import Network, mean_and_log_std


def mlp(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int, hidden: list[int]) -> Network:
    """Observations of any shape, flattened; `hidden` lists the encoder's widths, the decoder mirrors them."""
    if not isinstance(hidden, list) or not hidden or any(not isinstance(width, int) or width < 1 for width in hidden):
        raise ValueError(f"network.hidden must list whole numbers of at least 1, not {hidden}")
    size = math.prod(observation_shape)
    encoder = nn.Sequential(nn.Flatten(), *_layers([size, *hidden, heads * latent_dim]))
    decoder = nn.Sequential(*_layers([latent_dim, *hidden[::-1], size]), nn.Unflatten(1, observation_shape))
    first = nn.Sequential(encoder[0], encoder[1], encoder[2])  # flattens too
    down = (first, *(encoder[i : i + 2] for i in range(3, len(encoder) - 1, 2)))
    up = tuple(decoder[i : i + 2] for i in range(2, len(decoder), 2))
    return Network(encoder, decoder, mean_and_log_std, down, (hidden[-1],), up)


def _layers(widths: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for wide, next_wide in itertools.pairwise(widths):
        layers += [nn.Linear(wide, next_wide), nn.ELU(inplace=True)]
    return layers[:-1]
