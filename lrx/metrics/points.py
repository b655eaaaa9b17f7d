"""What a metric is given: codes and factor classes, checked once, and rows that share the value of a factor.

N points, D latents, F factors, V votes.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


def checked(codes: np.ndarray | Tensor, classes: np.ndarray | Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Codes and classes, of numpy or torch and on any device, as float64 (N, D) and int64 (N, F).

    A latent that varies by no more than rounding is made exactly constant, so that no metric reads rounding.
    ValueError for other shapes, codes that are not finite, classes that are not whole, or a factor with one value.
    """
    codes_ND, classes_NF = finite(codes), _numpy(classes)
    if classes_NF.ndim != 2 or len(classes_NF) != len(codes_ND) or not classes_NF.shape[1]:
        raise ValueError(f"classes must be (points, factors) beside codes {codes_ND.shape}, not {classes_NF.shape}")
    if classes_NF.dtype.kind not in "iu":
        raise ValueError(f"classes must be whole numbers, not {classes_NF.dtype}")
    varied(classes_NF)
    return codes_ND, classes_NF.astype(np.int64)


def finite(codes: np.ndarray | Tensor) -> np.ndarray:
    """Codes alone, as `checked` makes them."""
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


def split(codes: np.ndarray | Tensor, classes: np.ndarray | Tensor, num_train: int) -> tuple[np.ndarray, ...]:
    """Codes and classes of the first `num_train` points, then codes and classes of the others, which test.

    ValueError as `checked`, when nothing is left to test, or a factor has one value among the points to train on.
    """
    codes_ND, classes_NF = checked(codes, classes)
    if not 2 <= num_train < len(codes_ND):
        raise ValueError(f"num_train must be from 2 to {len(codes_ND) - 1}, the points but one, not {num_train}")
    varied(classes_NF[:num_train])
    return codes_ND[:num_train], classes_NF[:num_train], codes_ND[num_train:], classes_NF[num_train:]


def varied(classes_NF: np.ndarray) -> None:
    """ValueError names the columns with one value."""
    single = [str(factor) for factor, column in enumerate(classes_NF.T) if column.min() == column.max()]
    if single:
        raise ValueError(f"every factor needs two values among these points; leave out columns {', '.join(single)}")


def singleton_fraction(classes_NF: np.ndarray) -> float:
    """The share of points, mean over factors, whose value of the factor no other point has."""
    counts = [np.unique(column, return_counts=True)[1] for column in classes_NF.T]
    return float(np.mean([(count == 1).sum() / len(classes_NF) for count in counts]))


def numpy_random(generator: torch.Generator) -> np.random.Generator:
    """A numpy generator seeded by the next number of a torch generator."""
    return np.random.default_rng(whole_seed(generator))


def whole_seed(generator: torch.Generator) -> int:
    """A seed below 2^31 for a library that takes one."""
    return int(torch.randint(2**31 - 1, (1,), generator=generator))


class SharedValues:
    """For each point and factor, the points that have the same value of that factor."""

    def __init__(self, classes_NF: np.ndarray) -> None:
        """Sort the points by each factor once."""
        self.order_FN = np.argsort(classes_NF, axis=0, kind="stable").T
        sorted_FN = np.take_along_axis(classes_NF.T, self.order_FN, axis=1)
        pairs = list(zip(sorted_FN, classes_NF.T, strict=True))
        self.start_FN = np.stack([np.searchsorted(row, column, "left") for row, column in pairs])
        self.stop_FN = np.stack([np.searchsorted(row, column, "right") for row, column in pairs])

    def draw(self, points: np.ndarray, factors: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A point, uniformly and with replacement, that shares the factor's value with each of these; all one shape."""
        start, stop = self.start_FN[factors, points], self.stop_FN[factors, points]
        return np.asarray(self.order_FN[factors, random.integers(start, stop)])


def binomial_se(accuracy: float, count: int) -> float:
    """Standard error of an accuracy over `count` independent trials, with two successes and two failures added.

    The plain sqrt(p (1 - p) / n) is 0 at p = 1, however few trials there were (Agresti & Coull 1998).
    """
    share = (accuracy * count + 2) / (count + 4)
    return math.sqrt(share * (1 - share) / (count + 4))


def mean_se(values_N: np.ndarray) -> float:
    """Standard error of the mean of N independent numbers."""
    return float(values_N.std(ddof=1) / math.sqrt(len(values_N))) if len(values_N) > 1 else math.nan


def _numpy(values: np.ndarray | Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
