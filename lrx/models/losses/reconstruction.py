"""Reconstruction error, summed over pixels and averaged over the batch, and from a decoder's output to pixels.

Bernoulli: cross-entropy of pixels in [0, 1] under logits. Gaussian: |x - x'|^2 / (2 variance), its constant left out.
The sum over pixels is part of the definition: a beta means something only beside it (Locatello et al. 2019).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lrx.core.validation import SettingError

KINDS = ("bernoulli", "gaussian")


def check_reconstruction(kind: str, variance: float, observation_shape: tuple[int, ...]) -> None:
    """ValueError for an unknown kind, a variance that is not positive, and Bernoulli over vectors."""
    if kind not in KINDS:
        raise SettingError(f"reconstruction must be one of {', '.join(KINDS)}, not {kind!r}")
    if isinstance(variance, bool) or not isinstance(variance, int | float) or not variance > 0:
        raise SettingError(f"variance must be a positive number, not {variance!r}")
    if kind == "bernoulli" and len(observation_shape) == 1:
        raise SettingError(
            "reconstruction=bernoulli needs pixels in [0, 1], and this data set holds vectors; "
            "use model.reconstruction=gaussian"
        )


def to_observation(output: Tensor) -> Tensor:
    """Decoder output to what it shows: images (B, C, H, W) through a sigmoid, vectors (B, P) as they are."""
    return torch.sigmoid(output) if output.ndim == 4 else output


def reconstruction_error(output: Tensor, x: Tensor, *, kind: str, variance: float) -> Tensor:
    """The error of a decoder output (logits for images) against observations x of the same shape, as a scalar."""
    if kind == "bernoulli":
        return F.binary_cross_entropy_with_logits(output.float(), x, reduction="sum") / len(x)
    return F.mse_loss(to_observation(output.float()), x, reduction="sum") / (2 * variance * len(x))
