"""Passes in bfloat16: an autoencoder whose layers run under autocast, for sums that forgive the rounding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lrx.types import Autoencoder


class InBf16(nn.Module):
    """The same autoencoder; encode and decode run under bf16 autocast, and codes come back in the latents' dtype."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def encode(self, x: Tensor) -> Tensor:
        """See Autoencoder; float32."""
        with torch.autocast(x.device.type, torch.bfloat16):
            return self.autoencoder.encode(x).float()

    def decode(self, z: Tensor) -> Tensor:
        """See Autoencoder; in what the last layer gives under autocast."""
        with torch.autocast(z.device.type, torch.bfloat16):
            return self.autoencoder.decode(z)
