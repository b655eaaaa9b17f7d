"""Transposed convolution in forms for which torch's CPU kernels are faster; same weights, values and gradients.

A layer that doubles an image to a few channels, as last layers do, is computed as a sub-pixel convolution of the small
image (Shi et al. 2016, arXiv 1609.05158). In training the backward pass is torch's own of a transposed convolution,
which takes a quarter of the time of that of the sub-pixel form, and sums the gradient of the bias separately, which
takes 0.3 ms where oneDNN's takes 8 for the largest layer of conv64. C channels in, K channels out, B images.

Also used on CUDA (not benchmarked there): torch adds the bias separately itself, and the sub-pixel form has as many
products as the transposed one, in twelve output channels instead of three.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_SUB_PIXEL_CHANNELS = 4  # output channels up to which the sub-pixel form is faster on a CPU
DOUBLING = ((4, 4), (2, 2), (1, 1), (0, 0), (1, 1), 1)  # kernel, stride, padding, output padding, dilation, groups

Settings = tuple[Any, ...]  # stride, padding, output padding, dilation and groups


class TransposedConv(nn.ConvTranspose2d):
    """nn.ConvTranspose2d with the same weights, values and gradients."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (B, C, H, W) to (B, K, H', W'), or one image (C, H, W) to (K, H', W')."""
        if self.bias is None or output_size is not None:
            return super().forward(input, output_size)
        settings = (self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation, self.groups)
        few = self.out_channels <= MAX_SUB_PIXEL_CHANNELS and settings == DOUBLING
        if self.training and torch.is_grad_enabled() and input.ndim == 4 and not torch.compiler.is_compiling():
            parts: tuple[Tensor, ...] = (input, self.weight, self.bias)
            kind = input.device.type
            if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):  # the meta device has none
                low = torch.get_autocast_dtype(kind)
                parts = tuple(part if part.dtype == torch.float64 else part.to(low) for part in parts)
            out: Tensor = _Training.apply(*parts, few, settings[1:])  # type: ignore[no-untyped-call]
            return out
        if few:
            return sub_pixel(input, self.weight, self.bias)
        if not torch.is_grad_enabled():
            return super().forward(input)
        bare = F.conv_transpose2d(input, self.weight, None, *_torch_order(settings[1:]))
        return bare.add_(self.bias.to(bare.dtype)[:, None, None])


def sub_pixel(x_BCHW: Tensor, weight_CKTT: Tensor, bias_K: Tensor) -> Tensor:
    """Compute conv_transpose2d(x, weight, bias, stride=2, padding=1), (B, K, 2H, 2W), for a kernel (C, K, 4, 4).

    Equal to rounding. Two output pixels lie between each two pixels of x (and before the first, and after the last),
    and depend on these two alone, through two taps each: a 2x2 convolution with padding gives them all, and one line
    too many at each border.
    """
    taps_CKNPMQ = weight_CKTT.unflatten(3, (2, 2)).unflatten(2, (2, 2)).flip(2, 4)  # type: ignore[no-untyped-call]
    kernels = taps_CKNPMQ.permute(3, 5, 1, 0, 2, 4).flatten(0, 2)
    out = F.conv2d(x_BCHW, kernels, bias_K.repeat(4), padding=1)
    # not pixel_shuffle, which moves single numbers of channels-last maps where this moves runs of 2 K
    out_BHWPQK = out.movedim(-3, -1).unflatten(-1, (2, 2, -1))  # type: ignore[no-untyped-call]
    doubled: Tensor = out_BHWPQK.movedim(-3, -4).flatten(-5, -4).flatten(-3, -2)
    return doubled[..., 1:-1, 1:-1, :].movedim(-1, -3)


class _Training(torch.autograd.Function):
    """Transposed convolution, in the sub-pixel form where `few`, with the backward pass of torch's own without bias.

    settings: stride, padding, output padding, dilation and groups.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, few: bool, settings: Settings) -> Tensor:
        if few:  # a copy, because forward-mode derivatives of a view need its strides
            return sub_pixel(x, weight, bias).contiguous(memory_format=torch.channels_last)
        return F.conv_transpose2d(x, weight, bias, *_torch_order(settings))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, _, _, ctx.settings = inputs
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (x, weight), (stride, padding, extra, dilation, groups) = ctx.saved_tensors, ctx.settings
        needed = ctx.needs_input_grad
        how = (stride, padding, dilation, True, extra, groups, [needed[0], needed[1], False])
        grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(grad, x, weight, None, *how)
        return grad_x, grad_weight, grad.sum((0, 2, 3)) if needed[2] else None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        (x, weight), (dx, dweight, dbias), how = ctx.saved_tensors, tangents[:3], _torch_order(ctx.settings)
        parts = [] if dx is None else [F.conv_transpose2d(dx, weight, None, *how)]
        parts += [] if dweight is None else [F.conv_transpose2d(x, dweight, None, *how)]
        total = sum(parts) if parts else x.new_zeros(())
        return total if dbias is None else total + dbias[:, None, None]


def _torch_order(settings: Settings) -> tuple[Any, ...]:
    """Return stride, padding, output padding, groups and dilation, as F.conv_transpose2d takes them."""
    stride, padding, extra, dilation, groups = settings
    return stride, padding, extra, groups, dilation
