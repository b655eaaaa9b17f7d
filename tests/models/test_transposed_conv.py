"""A transposed convolution with its bias apart is torch's own, in values and gradients."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from torch import nn

from lrx.models.layers.transposed_conv import TransposedConv


@pytest.mark.parametrize("outputs", [2, 4, 6])
@pytest.mark.parametrize("settings", [(4, 2, 1), (5, 2, 1, 1), (3, 1, 0, 0, 2), (4, 2, 0)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("memory", [torch.channels_last, torch.contiguous_format])
def test_values_and_gradients_equal_torch(
    settings: tuple[int, ...], outputs: int, training: bool, memory: torch.memory_format
) -> None:
    torch.manual_seed(0)
    ours, plain = (kind(4, outputs, *settings, dtype=torch.float64) for kind in (TransposedConv, nn.ConvTranspose2d))
    plain.load_state_dict(ours.state_dict())
    ours.train(training)
    x = torch.randn(2, 4, 5, 3, dtype=torch.float64).contiguous(memory_format=memory)
    found = []
    for layer in (ours, plain):
        own = x.clone().requires_grad_()
        out = layer(own)
        (out**3).sum().backward()
        found.append((out.detach(), own.grad, layer.weight.grad, layer.bias.grad))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_without_gradients_or_bias_equals_torch() -> None:
    x = torch.randn(1, 3, 4, 4)
    for bias in (True, False):
        layer = TransposedConv(3, 6, 4, 2, 1, bias=bias)
        with torch.no_grad():
            assert torch.equal(layer(x), nn.ConvTranspose2d.forward(layer, x))
        torch.testing.assert_close(layer(x), nn.ConvTranspose2d.forward(layer, x))


@pytest.mark.parametrize("outputs", [2, 6])
@pytest.mark.parametrize("gradients", [True, False])
def test_one_image_and_empty_batch(outputs: int, gradients: bool) -> None:
    layer, x = TransposedConv(3, outputs, 4, 2, 1), torch.randn(3, 4, 5)
    with torch.set_grad_enabled(gradients):
        assert layer(x[None][:0]).shape == (0, outputs, 8, 10)
        torch.testing.assert_close(layer(input=x), nn.ConvTranspose2d.forward(layer, x))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # within torch.func.jvp
@pytest.mark.parametrize("outputs", [2, 6])
def test_forward_and_reverse_derivatives_equal_torch(outputs: int) -> None:
    layer = TransposedConv(3, outputs, 4, 2, 1, dtype=torch.float64)
    x = torch.randn(2, 3, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plain = torch.func.jacrev(functools.partial(nn.ConvTranspose2d.forward, layer))(x)
    torch.testing.assert_close(torch.func.jacrev(layer)(x), plain, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.func.jacfwd(layer)(x), plain, rtol=0, atol=1e-12)
    each = torch.func.vmap(torch.func.jacrev(layer))(x)
    torch.testing.assert_close(each[1], plain[1, :, :, :, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_propagates_as_in_torch(value: float) -> None:
    layer, x = TransposedConv(3, 2, 4, 2, 1), torch.zeros(1, 3, 4, 4)
    x[0, 0, 1, 2] = value
    finite = layer(x).isfinite()
    assert torch.equal(finite, nn.ConvTranspose2d.forward(layer, x).isfinite())
    assert 0 < finite.sum() < finite.numel()


def test_output_size() -> None:
    layer = TransposedConv(3, 2, 3, 2, 1)
    assert layer(torch.randn(1, 3, 4, 4), [8, 8]).shape == (1, 2, 8, 8)


@pytest.mark.parametrize("outputs", [2, 6])
def test_autocast_gives_bf16(outputs: int) -> None:
    layer = TransposedConv(3, outputs, 4, 2, 1)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(torch.randn(1, 3, 4, 4))
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert layer.bias is not None
    assert layer.bias.grad is not None
    torch.testing.assert_close(layer.bias.grad, torch.full((outputs,), 64.0))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # within forward derivatives
@pytest.mark.parametrize("outputs", [1, 5])
def test_training_gradients_of_all_orders(outputs: int) -> None:
    torch.manual_seed(0)
    layer = TransposedConv(2, outputs, 4, 2, 1, dtype=torch.float64)
    inputs = [torch.randn(1, 2, 2, 3, dtype=torch.float64), layer.weight.detach(), layer.bias.detach()]

    def run(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    leaves = tuple(tensor.requires_grad_() for tensor in inputs)
    assert torch.autograd.gradcheck(run, leaves, check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, leaves, fast_mode=True)
