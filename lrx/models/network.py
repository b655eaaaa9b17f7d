"""What every network gives to an objective: an encoder, a decoder, and how to read a Gaussian from the encoder's head.

The two conventions for the head stand here because they are no objective's business: published weights mean
one or the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

Split = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Network:
    """An encoder (B, *observation_shape) -> (B, heads * D), a decoder (B, D) -> (B, *observation_shape) of logits.

    `split` reads mean and log standard deviation, each (B, D), from an encoder output with two heads.
    encoder_stages: the encoder's layers between observation and code, one after another, in groups that end with their
        activation; for objectives that read codes at several depths.
    decoder_stages: the decoder's layers from features of the shape `decoder_start` to logits, in such groups; for
        objectives that feed latents in at several depths.
    """

    encoder: nn.Module
    decoder: nn.Module
    split: Split
    encoder_stages: tuple[nn.Module, ...]
    decoder_start: tuple[int, ...]
    decoder_stages: tuple[nn.Module, ...]


class NetworkFactory(Protocol):
    """What a file of lrx.models.networks offers once its own settings are bound."""

    def __call__(self, *, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
        """Build a network: heads is 1 for a deterministic code, 2 for mean and spread."""
        ...


def mean_and_log_variance(head: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 2D) as mean, then log variance (Kingma and Welling 2014; Locatello et al. 2019)."""
    mean, log_variance = head.chunk(2, dim=1)
    return mean, log_variance / 2


def mean_and_log_std(head: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 2D) as mean, then log standard deviation (the published models of Leeb et al. 2022)."""
    mean, log_std = head.chunk(2, dim=1)
    return mean, log_std


def image_channels(observation_shape: tuple[int, ...], *, side: int, network: str) -> int:
    """The channels of square images of the side that a network is built for, or a ValueError that says what to use."""
    if len(observation_shape) == 1:
        raise ValueError(
            f"network={network} reads images, and this data set holds vectors of {observation_shape[0]} numbers; "
            "use network=mlp"
        )
    if observation_shape[1:] != (side, side):
        raise ValueError(f"network={network} reads {side} x {side} images, not {observation_shape}")
    return observation_shape[0]
