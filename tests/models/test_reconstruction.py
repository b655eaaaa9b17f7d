"""Reconstruction errors: the cross-entropy is torch's, in value and gradient, also where logits saturate."""

from __future__ import annotations

import functools

import pytest
import torch
import torch.nn.functional as F

from lrx.models.losses.reconstruction import CrossEntropy, reconstruction_error


@pytest.mark.parametrize("scale", [1.0, 30.0, 800.0])
def test_cross_entropy_equals_torch(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = scale * torch.randn(3, 2, 5, 4, dtype=torch.float64, generator=generator)
    x = torch.rand(3, 2, 5, 4, dtype=torch.float64, generator=generator).round(decimals=1)
    found = []
    plain = functools.partial(F.binary_cross_entropy_with_logits, reduction="sum")
    for form in (CrossEntropy.apply, plain):
        own = logits.clone().requires_grad_()
        total = form(own, x)
        (3 * total).backward()
        found.append((total.detach(), own.grad))
    for ours, torchs in zip(*found, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-12)


def test_bernoulli_error_is_the_mean_over_images() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, x = torch.randn(4, 3, 6, 6, generator=generator), torch.rand(4, 3, 6, 6, generator=generator)
    error = reconstruction_error(logits, x, kind="bernoulli", variance=1.0)
    torch.testing.assert_close(error, F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum() / 4)


def test_gradients_by_differences() -> None:
    logits = torch.randn(2, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    x = torch.rand(2, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(lambda output: CrossEntropy.apply(output, x), (logits,))
    assert torch.autograd.gradgradcheck(lambda output: CrossEntropy.apply(output, x), (logits,))
