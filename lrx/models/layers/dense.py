"""Dense layers, an activation between each two."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from torch import nn


def dense(widths: Sequence[int], activation: Callable[..., nn.Module] = nn.ELU) -> list[nn.Module]:
    """Return linear layers from each width to the next, and an activation after each but the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation(inplace=True)]
    return layers[:-1]
