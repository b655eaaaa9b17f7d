"""Output of a decoder on a few images: is it pixels, and are they nearer to the images than the mean image is?

A decoder may give logits, or pixels in [-1, 1], where pixels in [0, 1] are meant, or have an activation that it was not
trained with. Each reading of its output is tried, and that with the smallest squared error is named. N images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

EDGE = 0.01  # beyond [0, 1], which rounding in half precision explains

# What outputs outside [0, 1] may be, by the remedy: pixels in [0, 1] from them.
FOREIGN: Mapping[str, Callable[[Tensor], Tensor]] = {
    "output=logits": torch.sigmoid,
    "output=tanh": lambda y: (y + 1) / 2,
    "a division by 255": lambda y: y / 255,
}
# Of lrx's networks, `output` is the activation behind the last layer. A tanh equals a sigmoid of twice the output, so
# that the smaller error cannot tell them apart.
OWN: Mapping[str, Callable[[Tensor], Tensor]] = {"output=sigmoid": torch.sigmoid}


def pixel_remarks(name: str, x_N: Tensor, y_N: Tensor, *, foreign: bool) -> list[str]:
    """Return remarks on reconstructions y (N, *shape) of observations x; name: of the model.

    foreign: the model is no objective of lrx, whose decoders for images end in a sigmoid if nothing else is stated.
    """
    x, y = x_N.double(), y_N.double()
    error, mean_error = _error(x, y), _error(x, x.mean(0))
    remarks, fits = [], error < mean_error
    if x.ndim == 4 and (y.min() < -EDGE or y.max() > 1 + EDGE):
        remedy, fits = _remedy(x, y, mean_error, FOREIGN if foreign else OWN)
        outside = float(((y < 0) | (y > 1)).double().mean())
        remarks.append(
            f"{name}.decode gives {float(y.min()):.3g} to {float(y.max()):.3g} where pixels are in [0, 1] "
            f"({outside:.0%} outside); {remedy}"
        )
    elif x.ndim == 4 and not foreign:
        bare = _error(x, y.logit(eps=torch.finfo(torch.float32).eps))
        if bare < min(error / 2, mean_error):
            errors = f"(squared error {bare:.4g} an image, and {error:.4g} with it)"
            return [f"{name} reconstructs better without its last sigmoid, that is with output=identity {errors}"]
    if not fits and mean_error > 0:
        remarks.append(
            f"{name} reconstructs no better than the mean {'image' if x.ndim == 4 else 'observation'} (squared error "
            f"{error:.4g} each, of the mean {mean_error:.4g}): its activation, range, channel order or normalisation "
            "may differ, or it is not trained"
        )
    return remarks


def _remedy(
    x: Tensor, y: Tensor, mean_error: float, readings: Mapping[str, Callable[[Tensor], Tensor]]
) -> tuple[str, bool]:
    """Return how outputs outside [0, 1] are to be read, and whether that is better than the mean image."""
    errors, error = {remedy: _error(x, as_pixels(y)) for remedy, as_pixels in readings.items()}, _error(x, y)
    best, logits = min(errors, key=errors.__getitem__), next(iter(readings))
    if error < mean_error and error <= errors[best]:
        return "as they are they reconstruct best; pictures show them clipped", True
    if errors[best] < mean_error:
        return f"{best} would fit (squared error an image {errors[best]:.4g}, and {error:.4g} as they are)", True
    if y.min() >= -1 - EDGE and y.max() <= 1 + EDGE:
        return f"they are pixels in [-1, 1] (output=tanh) or small logits ({logits})", False
    return f"they are probably logits ({logits})", False


def _error(x: Tensor, y: Tensor) -> float:
    return float((x - y).square().flatten(1).sum(1).mean())
