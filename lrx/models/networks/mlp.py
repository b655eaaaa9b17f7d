"""mlp: fully connected encoder and decoder, for vectors such as the double helix, or for small images.

The paper's toy uses four hidden layers of 32 with ELU (Leeb et al. 2022, appendix).
"""

from __future__ import annotations

import math

from torch import nn

from lrx.core.validation import SettingError, check_choice, is_whole
from lrx.models.layers.dense import dense
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
    """Build an MLP for observations of any shape, flattened.

    hidden: widths of the encoder, mirrored in the decoder. activation: `elu` or `relu`. spread: meaning of the second
    half of a Gaussian head, `log_std` or `log_variance`. SettingError for other values.
    """
    if not isinstance(hidden, list) or not hidden or not all(is_whole(width, 1) for width in hidden):
        raise SettingError(f"hidden must list whole numbers of at least 1, not {hidden}")
    check_choice("activation", activation, [*ACTIVATIONS])
    check_choice("spread", spread, [*SPREADS])
    size, layer = math.prod(observation_shape), ACTIVATIONS[activation]
    encoder = nn.Sequential(nn.Flatten(), *dense([size, *hidden, heads * latent_dim], layer))
    decoder = nn.Sequential(*dense([latent_dim, *hidden[::-1], size], layer), nn.Unflatten(1, observation_shape))
    first = nn.Sequential(encoder[0], encoder[1], encoder[2])  # flattens too
    down = (first, *(encoder[i : i + 2] for i in range(3, len(encoder) - 1, 2)))
    up = tuple(decoder[i : i + 2] for i in range(2, len(decoder), 2))
    return Network(encoder, decoder, SPREADS[spread], down, (hidden[-1],), up)
