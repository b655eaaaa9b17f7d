"""Input of a metric: checks of codes and factor classes, seeds, and points that share the value of a factor.

N points, D latents, F factors, V votes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def as_codes_and_classes(codes: np.ndarray | Tensor, classes: np.ndarray | Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return codes float64 (N, D) and classes int64 (N, F) from arrays or tensors on any device.

    A latent that varies by no more than rounding is made exactly constant, so that no metric measures rounding.
    ValueError for other shapes, codes that are not finite, classes that are not whole, or a factor with one value.
    """
    codes_ND, classes_NF = as_codes(codes), _numpy(classes)
    if classes_NF.ndim != 2 or len(classes_NF) != len(codes_ND) or not classes_NF.shape[1]:
        raise ValueError(f"classes must be (points, factors) beside codes {codes_ND.shape}, not {classes_NF.shape}")
    if classes_NF.dtype.kind not in "iu":
        raise ValueError(f"classes must be whole numbers, not {classes_NF.dtype}")
    check_varying(classes_NF)
    return codes_ND, classes_NF.astype(np.int64)


def as_codes(codes: np.ndarray | Tensor) -> np.ndarray:
    """Return codes float64 (N, D) as `as_codes_and_classes` does."""
    raw_ND = _numpy(codes)
    if raw_ND.ndim != 2 or len(raw_ND) < 2 or not raw_ND.shape[1]:
        raise ValueError(f"codes must be (points, latents) with at least 2 points, not {raw_ND.shape}")
    codes_ND = raw_ND.astype(np.float64)
    if not np.isfinite(codes_ND).all():
        raise ValueError("codes must be finite: the model's weights hold NaN, or its codes overflow")
    rounding = 16 * float(np.finfo(raw_ND.dtype).eps) if raw_ND.dtype.kind == "f" else 0.0
    constant_D = np.ptp(codes_ND, axis=0) <= rounding * np.abs(codes_ND).max(axis=0)
    codes_ND[:, constant_D] = codes_ND[0, constant_D]
    return codes_ND


def split_train_test(
    codes: np.ndarray | Tensor, classes: np.ndarray | Tensor, num_train: int
) -> tuple[np.ndarray, ...]:
    """Return codes and classes of the first `num_train` points, then codes and classes of the others, for testing.

    ValueError as `as_codes_and_classes`, when no point is left for testing, or a factor has one value among the
    training points.
    """
    codes_ND, classes_NF = as_codes_and_classes(codes, classes)
    if not 2 <= num_train < len(codes_ND):
        raise ValueError(f"num_train must be from 2 to {len(codes_ND) - 1}, the points but one, not {num_train}")
    check_varying(classes_NF[:num_train])
    return codes_ND[:num_train], classes_NF[:num_train], codes_ND[num_train:], classes_NF[num_train:]


def check_varying(classes_NF: np.ndarray) -> None:
    """Check that every factor (column) has two values among the points. ValueError names those that do not."""
    single = [str(factor) for factor, column in enumerate(classes_NF.T) if column.min() == column.max()]
    if single:
        raise ValueError(f"every factor needs two values among these points; leave out columns {', '.join(single)}")


def singleton_fraction(classes_NF: np.ndarray) -> float:
    """Return the share of points whose value of a factor no other point has, mean over factors."""
    counts = [np.unique(column, return_counts=True)[1] for column in classes_NF.T]
    return float(np.mean([(count == 1).sum() / len(classes_NF) for count in counts]))


def numpy_random(generator: torch.Generator) -> np.random.Generator:
    """Return a numpy generator seeded by the next number of a torch generator."""
    return np.random.default_rng(draw_seed(generator))


def draw_seed(generator: torch.Generator) -> int:
    """Draw a seed below 2^31 for a library that takes one."""
    import torch

    return int(torch.randint(2**31 - 1, (1,), generator=generator))


class SharedValues:
    """Index of the points that have the same value of a factor, for each point and factor."""

    def __init__(self, classes_NF: np.ndarray) -> None:
        """Sort the points (N, F) by each factor once."""
        self.order_FN = np.argsort(classes_NF, axis=0, kind="stable").T
        sorted_FN = np.take_along_axis(classes_NF.T, self.order_FN, axis=1)
        pairs = list(zip(sorted_FN, classes_NF.T, strict=True))
        self.start_FN = np.stack([np.searchsorted(row, column, "left") for row, column in pairs])
        self.stop_FN = np.stack([np.searchsorted(row, column, "right") for row, column in pairs])

    def draw(self, points: np.ndarray, factors: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Draw, with replacement, a point that has the same value of the factor as each point; all of one shape."""
        start, stop = self.start_FN[factors, points], self.stop_FN[factors, points]
        return np.asarray(self.order_FN[factors, random.integers(start, stop)])


def binomial_se(accuracy: float, count: int) -> float:
    """Return the standard error of an accuracy over `count` independent trials (Agresti & Coull 1998).

    Two successes and two failures are added: the plain sqrt(p (1 - p) / n) is 0 at p = 1 for any number of trials.
    """
    share = (accuracy * count + 2) / (count + 4)
    return math.sqrt(share * (1 - share) / (count + 4))


def _numpy(values: np.ndarray | Tensor) -> np.ndarray:
    return np.asarray(values) if isinstance(values, np.ndarray | list) else values.detach().cpu().numpy()
