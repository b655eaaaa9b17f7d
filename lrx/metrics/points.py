"""Input of a metric: checks of codes and factor classes, the split of images into training and test ones, and seeds.

N images, D latents, F factors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

ROUNDINGS = 64  # of the largest code, of a latent that varies by rounding alone; above the number of bins

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def as_codes_and_classes(codes: np.ndarray | Tensor, classes: np.ndarray | Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return codes float64 (N, D) and classes int64 (N, F) from arrays or tensors on any device.

    A latent that varies by no more than 64 roundings, which bins cannot divide, is made exactly constant, so that no
    metric measures rounding.
    ValueError for other shapes, codes that are not finite, classes that are not whole, or a factor with one value.
    """
    codes_ND, classes_NF = as_codes(codes), _numpy(classes)
    if classes_NF.ndim != 2 or len(classes_NF) != len(codes_ND) or not classes_NF.shape[1]:
        raise ValueError(f"classes must be (points, factors) beside codes {codes_ND.shape}, not {classes_NF.shape}")
    if classes_NF.dtype.kind not in "iu":
        raise ValueError(f"classes must be whole numbers, not {classes_NF.dtype}")
    check_varying(classes_NF)
    return codes_ND, classes_NF.astype(np.int64)


def as_codes_and_factors(codes: np.ndarray | Tensor, factors: np.ndarray | Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return codes and factors float64, (N, D) and (N, F), where factors are classes or continuous values.

    ValueError as `as_codes_and_classes`, except that factors may be any finite numbers.
    """
    codes_ND, factors_NF = as_codes(codes), _numpy(factors)
    if factors_NF.ndim != 2 or len(factors_NF) != len(codes_ND) or not factors_NF.shape[1]:
        raise ValueError(f"factors must be (points, factors) beside codes {codes_ND.shape}, not {factors_NF.shape}")
    if factors_NF.dtype.kind not in "iuf" or not np.isfinite(factors_NF).all():
        raise ValueError(f"factors must be finite numbers, not {factors_NF.dtype} with NaN, infinity or text")
    check_varying(factors_NF)
    return codes_ND, factors_NF.astype(np.float64)


def as_codes_and_kinds(
    codes: np.ndarray | Tensor, factors: np.ndarray | Tensor, continuous: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return codes and factors as `as_codes_and_factors`, and which factors are continuous, bool (F,).

    continuous: None for classes alone, which are checked as by `as_codes_and_classes`.
    """
    if continuous is None:
        codes_ND, classes_NF = as_codes_and_classes(codes, classes=factors)
        return codes_ND, classes_NF.astype(np.float64), np.zeros(classes_NF.shape[1], dtype=bool)
    codes_ND, factors_NF = as_codes_and_factors(codes, factors)
    continuous_F = np.asarray(continuous, dtype=bool)
    if continuous_F.shape != factors_NF.shape[1:]:
        raise ValueError(f"continuous must have one place a factor of {factors_NF.shape}, not {continuous_F.shape}")
    return codes_ND, factors_NF, continuous_F


def as_codes(codes: np.ndarray | Tensor) -> np.ndarray:
    """Return codes float64 (N, D) as `as_codes_and_classes` does."""
    raw_ND = _numpy(codes)
    if raw_ND.ndim != 2 or len(raw_ND) < 2 or not raw_ND.shape[1]:
        raise ValueError(f"codes must be (points, latents) with at least 2 points, not {raw_ND.shape}")
    codes_ND = raw_ND.astype(np.float64)
    if not np.isfinite(codes_ND).all():
        raise ValueError("codes must be finite: the model's weights hold NaN, or its codes overflow")
    if raw_ND.dtype.kind == "f":
        precision = np.finfo(raw_ND.dtype)
        rounding_D = ROUNDINGS * np.maximum(float(precision.eps) * np.abs(codes_ND).max(axis=0), float(precision.tiny))
        constant_D = np.ptp(codes_ND, axis=0) <= rounding_D
        codes_ND[:, constant_D] = codes_ND[0, constant_D]
    return codes_ND


def num_to_train(num_images: int, num_train: int, num_test: int) -> int:
    """Return how many of the images train: `num_train`, or their share of fewer images than asked for.

    The others test, so that no image is on both sides. ValueError for fewer than 4 images.
    """
    if num_images < 4:
        raise ValueError(f"what is learned is tested on other images, which takes 4 or more, not {num_images}")
    share = num_train / (num_train + num_test)
    return min(num_train, max(2, min(round(num_images * share), num_images - 1)))


def split_train_test(
    codes: np.ndarray | Tensor, classes: np.ndarray | Tensor, num_train: int
) -> tuple[np.ndarray, ...]:
    """Return codes and classes of the first `num_train` points, then codes and classes of the others, for testing.

    ValueError as `as_codes_and_classes`, when no point is left for testing, or a factor has one value among the
    training points.
    """
    return split_at(*as_codes_and_classes(codes, classes), num_train)


def split_at(codes_ND: np.ndarray, factors_NF: np.ndarray, num_train: int) -> tuple[np.ndarray, ...]:
    """Return codes and factors of the first `num_train` points, then those of the others, for testing."""
    if not 2 <= num_train < len(codes_ND):
        raise ValueError(f"num_train must be from 2 to {len(codes_ND) - 1}, the points but one, not {num_train}")
    check_varying(factors_NF[:num_train])
    return codes_ND[:num_train], factors_NF[:num_train], codes_ND[num_train:], factors_NF[num_train:]


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


def _numpy(values: np.ndarray | Tensor) -> np.ndarray:
    return np.asarray(values) if isinstance(values, np.ndarray | list) else values.detach().cpu().numpy()
