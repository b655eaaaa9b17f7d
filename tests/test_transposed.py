"""A transposed convolution with its bias apart is torch's own, in values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrx.models.transposed import TransposedConv


@pytest.mark.parametrize("outputs", [2, 4, 6])
@pytest.mark.parametrize("settings", [(4, 2, 1), (5, 2, 1, 1), (3, 1, 0, 0, 2), (4, 2, 0)])
def test_values_and_gradients_are_those_of_torch(settings: tuple[int, ...], outputs: int) -> None:
    torch.manual_seed(0)
    ours, plain = (kind(4, outputs, *settings, dtype=torch.float64) for kind in (TransposedConv, nn.ConvTranspose2d))
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 4, 5, 3, dtype=torch.float64)
    found = []
    for layer in (ours, plain):
        own = x.clone().requires_grad_()
        out = layer(own)
        (out**3).sum().backward()
        found.append((out.detach(), own.grad, layer.weight.grad, layer.bias.grad))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_without_gradients_and_without_bias_it_is_torch_itself() -> None:
    x = torch.randn(1, 3, 4, 4)
    for bias in (True, False):
        layer = TransposedConv(3, 6, 4, 2, 1, bias=bias)
        with torch.no_grad():
            assert torch.equal(layer(x), nn.ConvTranspose2d.forward(layer, x))
        torch.testing.assert_close(layer(x), nn.ConvTranspose2d.forward(layer, x))


def test_the_shape_that_is_asked_for() -> None:
    layer = TransposedConv(3, 2, 3, 2, 1)
    assert layer(torch.randn(1, 3, 4, 4), [8, 8]).shape == (1, 2, 8, 8)


@pytest.mark.parametrize("outputs", [2, 6])
def test_under_autocast_it_gives_bf16(outputs: int) -> None:
    layer = TransposedConv(3, outputs, 4, 2, 1)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(torch.randn(1, 3, 4, 4))
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert layer.bias is not None
    assert layer.bias.grad is not None
    torch.testing.assert_close(layer.bias.grad, torch.full((outputs,), 64.0))
