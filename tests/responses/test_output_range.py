"""Outputs of decoders read with the wrong activation: the right one is named with the error that it would have."""

from __future__ import annotations

import torch

from lrx.responses.output_range import pixel_remarks

X = torch.rand(20, 1, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).round()


def test_sigmoid_that_does_not_belong() -> None:
    right = X + 0.1
    (remark,) = pixel_remarks("VAE", X, right.sigmoid(), foreign=False)
    wrong = float((X - right.sigmoid()).square().sum()) / 20
    assert remark.endswith(
        f"output=identity (squared error 0.09 an image, and {wrong:.4g} with it)"
    )  # 9 pixels, 0.1 off
    assert pixel_remarks("VAE", X, X.clamp(0.1, 0.9), foreign=False) == []


def test_sigmoid_that_lacks() -> None:
    (remark,) = pixel_remarks("VAE", X, X.clamp(0.02, 0.98).logit(), foreign=False)
    assert "output=sigmoid would fit (squared error an image 0.0036" in remark  # 9 pixels, 0.02 off
