"""The sub-pixel form of bilinear doubling and convolution is the two operations one after the other."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lrx.models.layers.upsample_conv import BILINEAR_PTN, UpsampleConv, sub_pixel_kernels, upsample_conv

DOUBLED = torch.tensor(BILINEAR_PTN, dtype=torch.float64)
SHAPES = [(1, 1), (1, 4), (3, 2), (8, 8)]


def one_after_the_other(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    doubled = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return F.conv2d(doubled, weight, bias, padding=1)


def together(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return upsample_conv(x, weight, bias, DOUBLED)


def drawn(height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 5, height, width), (3, 5, 3, 3), (3,))
    x, weight, bias = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return x, weight, bias


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_values_and_gradients_equal_two_operations(height: int, width: int) -> None:
    given = [part.requires_grad_() for part in drawn(height, width)]
    ours, plain = together(*given), one_after_the_other(*given)
    assert ours.shape == (2, 3, 2 * height, 2 * width)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)
    towards = torch.linspace(-1, 1, ours.numel(), dtype=torch.float64).view_as(ours)
    for own, theirs in zip(
        torch.autograd.grad(ours, given, towards), torch.autograd.grad(plain, given, towards), strict=True
    ):
        torch.testing.assert_close(own, theirs, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # within torch.func.jvp
def test_forward_mode_derivatives() -> None:
    x, weight, bias = drawn(4, 3)
    along = torch.ones_like(x)
    ours, plain = (
        torch.func.jvp(lambda x, way=way: way(x, weight, bias), (x,), (along,))[1]
        for way in (together, one_after_the_other)
    )
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)


def test_jacobians_by_row_and_by_image() -> None:
    x, weight, bias = drawn(2, 3)

    def jacobians(way: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        return torch.func.vmap(torch.func.jacrev(lambda image: way(image[None], weight, bias)))(x)

    torch.testing.assert_close(jacobians(together), jacobians(one_after_the_other), rtol=0, atol=1e-12)


def test_empty_batch() -> None:
    assert UpsampleConv(5, 3)(torch.empty(0, 5, 4, 4)).shape == (0, 3, 8, 8)


def test_nan_propagates_as_in_two_operations() -> None:
    x, weight, bias = drawn(5, 5)
    for value in (math.nan, math.inf):
        x[0, 0, 2, 1] = value
        finite = together(x, weight, bias).isfinite()
        assert torch.equal(finite, one_after_the_other(x, weight, bias).isfinite())
        assert 0 < finite[0].sum() < finite[0].numel()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_layer_converts_to_other_dtypes(dtype: torch.dtype) -> None:
    layer, x = UpsampleConv(8, 3), torch.rand(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    exact = layer(x)
    rounded = copy.deepcopy(layer).to(dtype)(x.to(dtype))
    assert rounded.dtype == dtype
    torch.testing.assert_close(rounded.float(), exact, rtol=0.02, atol=0.02)


def test_keys_of_published_weights() -> None:
    assert list(UpsampleConv(8, 3).state_dict()) == ["conv.weight", "conv.bias"]


def test_constant_image_gives_sum_of_weights() -> None:
    """Doubling keeps a constant, so that every sub-pixel kernel sums to what the kernel sums to."""
    _, weight, _ = drawn(1, 1)
    sums = sub_pixel_kernels(weight, DOUBLED).sum((2, 3))
    torch.testing.assert_close(sums, weight.sum((2, 3)).repeat_interleave(4, 0), rtol=0, atol=1e-13)


def test_memory_format_is_preserved() -> None:
    """Else every layer after it would convert."""
    layer = UpsampleConv(8, 3)
    x = torch.rand(2, 8, 4, 4)
    assert layer(x).is_contiguous()
    assert layer(x.contiguous(memory_format=torch.channels_last)).is_contiguous(memory_format=torch.channels_last)


def test_autocast_gives_bf16() -> None:
    layer = UpsampleConv(8, 3)
    x = torch.rand(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = layer(x)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = layer(x.bfloat16())
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, rtol=0.02, atol=0.02)
