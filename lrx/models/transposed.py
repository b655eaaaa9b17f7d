"""Transposed convolution whose bias is added apart while it trains.

torch's CPU kernels take several times as long for the gradient of a fused bias as for all the rest: with bf16, 4.3 of
the 4.9 ms that the largest layer of conv64 takes. As the gradient of a sum it takes a tenth of a millisecond.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TransposedConv(nn.ConvTranspose2d):
    """nn.ConvTranspose2d: its weights, its values, its gradients."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, C, H, W) to (B, K, H', W')."""
        if self.bias is None or output_size is not None or not torch.is_grad_enabled():
            return super().forward(input, output_size)
        out = F.conv_transpose2d(
            *(input, self.weight, None, self.stride, self.padding, self.output_padding),  # type: ignore[arg-type]
            groups=self.groups,
            dilation=self.dilation,
        )
        return out.add_(self.bias.to(out.dtype)[:, None, None])
