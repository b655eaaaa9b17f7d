"""Common part of autoencoders whose latents take one of a few values each: the quantiser, and the weight decay.

The encoder's output c of a latent is replaced by the nearest of its V values q; the gradient of what follows passes
straight through, as if q were c (Bengio et al. 2013). B observations, D latents, V values of each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Unpack

import torch
from torch import Tensor

from lrx.core.validation import check_number, check_whole
from lrx.models.autoencoder import AutoencoderSettings, NetworkAutoencoder


class QuantizedAutoencoder(NetworkAutoencoder, ABC):
    """Autoencoder without a posterior, whose codes are among `latent_values`. An objective adds those and its loss.

    values: V. weight_decay: of every parameter but biases and values, apart from the loss (AdamW).
    """

    heads = 1
    mean_over_images = True

    def __init__(self, *, values: int, weight_decay: float, **settings: Unpack[AutoencoderSettings]) -> None:
        super().__init__(**settings)
        check_whole("values", values, 2)
        check_number("weight_decay", weight_decay, 0)
        self.weight_decay = weight_decay

    @abstractmethod
    def latent_values(self) -> Tensor:
        """Return the values of each latent (D, V), ascending."""

    def continuous(self, x: Tensor) -> Tensor:
        """Return what is quantised (B, D): the encoder's output, in the precision of the values."""
        code: Tensor = self.encoder(x)
        return code.to(self.latent_values().dtype)

    def encode(self, x: Tensor) -> Tensor:
        """Encode observations (B, *observation_shape) to codes (B, D), each exactly one of its latent's values."""
        code = self.continuous(x)
        return straight_through(code, nearest(code, self.latent_values()))

    def parameter_groups(self) -> list[dict[str, object]]:
        """Return two groups: weights, which decay, and biases and values, which do not."""
        decays = {
            name: name.startswith(("encoder.", "decoder.")) and not name.endswith("bias")
            for name, _ in self.named_parameters()
        }
        return [
            {
                "params": [parameter for name, parameter in self.named_parameters() if decays[name] == decay],
                "weight_decay": self.weight_decay if decay else 0.0,
                "decoupled_weight_decay": True,
            }
            for decay in (True, False)
        ]


def nearest(code_BD: Tensor, values_DV: Tensor) -> Tensor:
    """Return for each code (B, D) the nearest of its latent's values (D, V); gradients go to the values."""
    with torch.no_grad():
        places_BD = (code_BD[:, :, None] - values_DV).abs().argmin(2)
        numbers_V = torch.arange(values_DV.shape[1], device=values_DV.device)
        chosen_BDV = (places_BD[:, :, None] == numbers_V).to(values_DV.dtype)  # one_hot reads from the device
    return (chosen_BDV * values_DV).sum(2)  # whose gradient is a plain sum, in one order on every device


def straight_through(code: Tensor, quantized: Tensor) -> Tensor:
    """Return `quantized`, to the last bit, with the gradient of `code`."""
    return quantized.detach() + (code - code.detach())
