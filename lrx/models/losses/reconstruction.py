"""Reconstruction error, summed over pixels and averaged over the batch, and the map from decoder output to pixels.

Bernoulli: cross-entropy of pixels in [0, 1] under logits. Gaussian: |x - x'|^2 / (2 variance), its constant left out.
The sum over pixels is part of the definition: a beta is comparable only beside it (Locatello et al. 2019).
"""

from __future__ import annotations

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
        return F.binary_cross_entropy_with_logits(output.float(), x, reduction="sum") / len(x)
    return F.mse_loss(to_observation(output.float()), x, reduction="sum") / (2 * variance * len(x))
