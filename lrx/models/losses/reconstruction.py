"""Reconstruction error, summed over pixels and averaged over the batch, and the map from decoder output to pixels.

Bernoulli: cross-entropy of pixels in [0, 1] under logits. Gaussian: |x - x'|^2 / (2 variance), its constant left out.
The sum over pixels is part of the definition: a beta is comparable only beside it (Locatello et al. 2019).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lrx.core.validation import SettingError, check_choice

AUTO = "auto"
KINDS = ("bernoulli", "gaussian")


def resolve_reconstruction(kind: str, observation_shape: tuple[int, ...]) -> str:
    """Return the kind that `auto` stands for: `bernoulli` for images, `gaussian` for vectors; other kinds as they are.

    SettingError for an unknown kind, and for `bernoulli` over vectors.

    >>> resolve_reconstruction("auto", (1, 64, 64)), resolve_reconstruction("auto", (3,))
    ('bernoulli', 'gaussian')
    """
    check_choice("reconstruction", kind, (AUTO, *KINDS))
    vectors = len(observation_shape) == 1
    if kind == AUTO:
        return "gaussian" if vectors else "bernoulli"
    if kind == "bernoulli" and vectors:
        raise SettingError(
            "reconstruction=bernoulli needs pixels in [0, 1], and this data set holds vectors; "
            "use reconstruction=auto or gaussian"
        )
    return kind


def to_observation(output: Tensor) -> Tensor:
    """Map decoder output to observations: images (B, C, H, W) through a sigmoid, vectors (B, P) unchanged."""
    return torch.sigmoid(output) if output.ndim == 4 else output


def reconstruction_error(output: Tensor, x: Tensor, *, kind: str, variance: float) -> Tensor:
    """Return the error of a decoder output (logits for images) against observations x of its shape, as a scalar."""
    if kind == "bernoulli":
        total: Tensor = CrossEntropy.apply(output.float(), x)  # type: ignore[no-untyped-call]
        return total / len(x)
    return F.mse_loss(to_observation(output.float()), x, reduction="sum") / (2 * variance * len(x))


class CrossEntropy(torch.autograd.Function):
    """Sum of the cross-entropy of pixels x under logits: softplus(logits) - x logits, whose derivative is sigmoid - x.

    It takes two thirds of the time of binary_cross_entropy_with_logits and its backward pass. x gets no gradient.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, x: Tensor) -> Tensor:
        """Return the sum, a scalar."""
        return F.softplus(logits, threshold=50).addcmul_(x, logits, value=-1).sum()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        """Keep both maps."""
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of the logits."""
        logits, x = ctx.saved_tensors
        return (torch.sigmoid(logits) - x) * grad, None
