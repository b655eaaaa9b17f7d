"""Interface between networks and objectives: encoder, decoder, and the meaning of the encoder's head.

A Gaussian head gives a mean and either a log variance or a log standard deviation; published weights have one or the
other, so the network says which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

Split = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Network:
    """Encoder (B, *observation_shape) -> (B, heads * D) and decoder (B, D) -> logits (B, *observation_shape).

    `split` reads mean and log standard deviation, each (B, D), from an encoder output with two heads.
    encoder_stages: the encoder's layers between observation and code, in order, in groups that end with their
        activation; for objectives that read codes at several depths.
    decoder_stages: the decoder's layers from features of shape `decoder_start` to logits, in such groups; for
        objectives that feed latents in at several depths.
    """

    encoder: nn.Module
    decoder: nn.Module
    split: Split
    encoder_stages: tuple[nn.Module, ...]
    decoder_start: tuple[int, ...]
    decoder_stages: tuple[nn.Module, ...]


class NetworkFactory(Protocol):
    """Function of lrx.models.networks whose own settings are bound."""

    def __call__(self, *, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
        """Build a network. heads: 1 for a deterministic code, 2 for mean and spread."""
        ...


def mean_and_log_variance(head: Tensor) -> tuple[Tensor, Tensor]:
    """Split (B, 2D), mean then log variance, into mean and log standard deviation, each (B, D).

    Kingma and Welling 2014; Locatello et al. 2019.
    """
    mean, log_variance = head.chunk(2, dim=1)
    return mean, log_variance / 2


def mean_and_log_std(head: Tensor) -> tuple[Tensor, Tensor]:
    """Split (B, 2D) into mean and log standard deviation, each (B, D): the published models of Leeb et al. 2022."""
    mean, log_std = head.chunk(2, dim=1)
    return mean, log_std


def image_channels(observation_shape: tuple[int, ...], *, side: int, network: str) -> int:
    """Return the number of channels of images; ValueError unless they are squares of the side that a network needs."""
    if len(observation_shape) == 1:
        raise ValueError(
            f"network={network} reads images, and this data set holds vectors of {observation_shape[0]} numbers; "
            "use network=mlp"
        )
    if observation_shape[1:] != (side, side):
        raise ValueError(f"network={network} reads {side} x {side} images, not {observation_shape}")
    return observation_shape[0]
