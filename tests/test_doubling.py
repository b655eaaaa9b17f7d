"""The sub-pixel form of bilinear doubling and convolution is the two operations one after the other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lrx.models.doubling import DoublingConv, doubling_conv, sub_pixel_kernels

SHAPES = [(1, 1), (1, 4), (3, 2), (8, 8)]


def one_after_the_other(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    doubled = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return F.conv2d(doubled, weight, bias, padding=1)


def drawn(height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 5, height, width), (3, 5, 3, 3), (3,))
    x, weight, bias = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return x, weight, bias


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_outputs_and_gradients_agree(height: int, width: int) -> None:
    given = [part.requires_grad_() for part in drawn(height, width)]
    ours, plain = doubling_conv(*given), one_after_the_other(*given)
    assert ours.shape == (2, 3, 2 * height, 2 * width)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)
    towards = torch.linspace(-1, 1, ours.numel(), dtype=torch.float64).view_as(ours)
    for own, theirs in zip(
        torch.autograd.grad(ours, given, towards), torch.autograd.grad(plain, given, towards), strict=True
    ):
        torch.testing.assert_close(own, theirs, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # within torch.func.jvp
def test_forward_mode_derivatives_agree() -> None:
    x, weight, bias = drawn(4, 3)
    along = torch.ones_like(x)
    ours, plain = (
        torch.func.jvp(lambda x, way=way: way(x, weight, bias), (x,), (along,))[1]
        for way in (doubling_conv, one_after_the_other)
    )
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)


def test_a_constant_image_sees_the_sum_of_the_weights_inside() -> None:
    """Doubling keeps a constant, so that every sub-pixel kernel sums to what the kernel sums to."""
    _, weight, _ = drawn(1, 1)
    sums = sub_pixel_kernels(weight).sum((2, 3))
    torch.testing.assert_close(sums, weight.sum((2, 3)).repeat_interleave(4, 0), rtol=0, atol=1e-13)


def test_the_memory_order_of_the_input_is_kept() -> None:
    """Else every layer after it would convert."""
    layer = DoublingConv(8, 3)
    x = torch.rand(2, 8, 4, 4)
    assert layer(x).is_contiguous()
    assert layer(x.contiguous(memory_format=torch.channels_last)).is_contiguous(memory_format=torch.channels_last)


def test_under_autocast_the_result_is_bf16_and_near() -> None:
    layer = DoublingConv(8, 3)
    x = torch.rand(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = layer(x)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = layer(x.bfloat16())
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, rtol=0.02, atol=0.02)
