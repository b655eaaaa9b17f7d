"""Transposed convolution in forms for which torch's CPU kernels are faster; same weights, values and gradients.

A layer that doubles an image to a few channels, as last layers do, is computed as a sub-pixel convolution of the small
image (Shi et al. 2016, arXiv 1609.05158). Other layers add their bias separately in training: on a CPU the gradient of
a fused bias takes 4.3 of the 4.9 ms of the largest layer of conv64 with bf16, that of a separate sum 0.1 ms.
C channels in, K channels out, B images.

Also used on CUDA (not benchmarked there): torch adds the bias separately itself, and the sub-pixel form has as many
products as the transposed one, in twelve output channels instead of three.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_SUB_PIXEL_CHANNELS = 4  # output channels up to which the sub-pixel form is faster on a CPU
DOUBLING = ((4, 4), (2, 2), (1, 1), (0, 0), (1, 1), 1)  # kernel, stride, padding, output padding, dilation, groups


class TransposedConv(nn.ConvTranspose2d):
    """nn.ConvTranspose2d with the same weights, values and gradients."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (B, C, H, W) to (B, K, H', W'), or one image (C, H, W) to (K, H', W')."""
        if self.bias is None or output_size is not None:
            return super().forward(input, output_size)
        settings = (self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation, self.groups)
        if self.out_channels <= MAX_SUB_PIXEL_CHANNELS and settings == DOUBLING:
            return sub_pixel(input, self.weight, self.bias)
        if not torch.is_grad_enabled():
            return super().forward(input)
        out = F.conv_transpose2d(
            *(input, self.weight, None, self.stride, self.padding, self.output_padding),  # type: ignore[arg-type]
            groups=self.groups,
            dilation=self.dilation,
        )
        return out.add_(self.bias.to(out.dtype)[:, None, None])


def sub_pixel(x_BCHW: Tensor, weight_CKTT: Tensor, bias_K: Tensor) -> Tensor:
    """Compute conv_transpose2d(x, weight, bias, stride=2, padding=1), (B, K, 2H, 2W), for a kernel (C, K, 4, 4).

    Equal to rounding. Two output pixels lie between each two pixels of x (and before the first, and after the last),
    and depend on these two alone, through two taps each: a 2x2 convolution with padding gives them all, and one line
    too many at each border.
    """
    taps_CKNPMQ = weight_CKTT.unflatten(3, (2, 2)).unflatten(2, (2, 2)).flip(2, 4)  # type: ignore[no-untyped-call]
    kernels = taps_CKNPMQ.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
    out = F.conv2d(x_BCHW, kernels, bias_K.repeat_interleave(4), padding=1)
    return F.pixel_shuffle(out, 2)[..., 1:-1, 1:-1]
