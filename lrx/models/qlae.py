"""Quantised-latent autoencoder: loss = rec + P (quantization |sg(c) - q|^2 + commitment |c - sg(q)|^2) / D.

c is the encoder's output, q the nearest value of a learnable codebook of each latent, sg stops gradients, P is the
number of pixels (or of entries of a vector), over which the paper's reconstruction error is a mean: here all terms are
P times as large, so that the weights are the paper's. Adam does not see the factor. Source: Hsu et al. 2023,
"Disentanglement via Latent Quantization" (arXiv 2305.18378), and the code published with it.
"""

from __future__ import annotations

import math
from typing import Unpack

import torch
from torch import Tensor, nn

from lrx.core.validation import check_number
from lrx.models.autoencoder import AutoencoderSettings
from lrx.models.quantized import QuantizedAutoencoder, nearest, straight_through


class QLAE(QuantizedAutoencoder):
    """Autoencoder with a codebook of scalars for each latent, evenly from -1/2 to 1/2 at first.

    values, weight_decay: see `lrx.models.quantized.QuantizedAutoencoder`.
    quantization, commitment: weights of the losses that draw values to codes, and codes to values.
    """

    def __init__(
        self,
        *,
        values: int,
        quantization: float,
        commitment: float,
        weight_decay: float,
        **settings: Unpack[AutoencoderSettings],
    ) -> None:
        super().__init__(values=values, weight_decay=weight_decay, **settings)
        check_number("quantization", quantization, 0)
        check_number("commitment", commitment, 0)
        self.quantization, self.commitment = quantization, commitment
        self.codebook = nn.Parameter(torch.linspace(-0.5, 0.5, values).repeat(self.latent_dim, 1))

    def latent_values(self) -> Tensor:
        """Return the codebook (D, V), each latent's values in ascending order."""
        return self.codebook.detach().sort(1).values

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return `loss`, `reconstruction`, and `quantization` and `commitment`: mean squares over latents."""
        code = self.continuous(x)
        quantized = nearest(code, self.codebook)
        error = self.reconstruction_error(straight_through(code, quantized), x)
        to_code = (quantized - code.detach()).square().mean()
        to_value = (code - quantized.detach()).square().mean()
        pixels = math.prod(self.observation_shape)
        loss = error + pixels * (self.quantization * to_code + self.commitment * to_value)
        return {"loss": loss, "reconstruction": error, "quantization": to_code, "commitment": to_value}
