"""mlp: fully connected encoder and decoder, for vectors such as the double helix, or for small images.

The paper's toy uses four hidden layers of 32 with ELU (Leeb et al. 2022, appendix).
"""

from __future__ import annotations

import itertools
import math

from torch import nn

from lrx.models.network import Network, mean_and_log_std, mean_and_log_variance

ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU}
SPREADS = {"log_std": mean_and_log_std, "log_variance": mean_and_log_variance}


def mlp(
    *,
    observation_shape: tuple[int, ...],
    latent_dim: int,
    heads: int,
    hidden: list[int],
    activation: str,
    spread: str,
) -> Network:
    """Observations of any shape, flattened; `hidden` lists the encoder's widths, the decoder mirrors them.

    activation: `elu` or `relu`. spread: what the second half of a Gaussian head means, `log_std` or `log_variance`.
    """
    if not isinstance(hidden, list) or not hidden or any(not isinstance(width, int) or width < 1 for width in hidden):
        raise ValueError(f"network.hidden must list whole numbers of at least 1, not {hidden}")
    if activation not in ACTIVATIONS:
        raise ValueError(f"network.activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
    if spread not in SPREADS:
        raise ValueError(f"network.spread must be one of {', '.join(SPREADS)}, not {spread!r}")
    size = math.prod(observation_shape)
    encoder = nn.Sequential(nn.Flatten(), *_layers([size, *hidden, heads * latent_dim], activation))
    decoder = nn.Sequential(*_layers([latent_dim, *hidden[::-1], size], activation), nn.Unflatten(1, observation_shape))
    first = nn.Sequential(encoder[0], encoder[1], encoder[2])  # flattens too
    down = (first, *(encoder[i : i + 2] for i in range(3, len(encoder) - 1, 2)))
    up = tuple(decoder[i : i + 2] for i in range(2, len(decoder), 2))
    return Network(encoder, decoder, SPREADS[spread], down, (hidden[-1],), up)


def _layers(widths: list[int], activation: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for wide, next_wide in itertools.pairwise(widths):
        layers += [nn.Linear(wide, next_wide), ACTIVATIONS[activation](inplace=True)]
    return layers[:-1]
