"""Means and accuracies with their standard errors, in one place for all assays and metrics. N independent values."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def mean_and_se(values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over the first axis of values (N, ...), and its standard error s / sqrt(N), both (...) float64.

    NaN stands for a missing value and is left out, place by place. Without any value the mean is NaN; with fewer than
    two the standard error is NaN. Takes arrays, lists and tensors on the CPU.

    >>> mean_and_se([1.0, 2.0, 3.0, float("nan")])
    (array(2.), array(0.57735027))
    """
    values_N = np.asarray(values, dtype=np.float64)
    valid_N = ~np.isnan(values_N)
    count = valid_N.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(valid_N, values_N, 0).sum(axis=0) / count
        squares = np.where(valid_N, np.square(values_N - mean), 0).sum(axis=0)
        se = np.sqrt(squares / (count - 1)) / np.sqrt(count)
    return np.asarray(mean), np.where(count > 1, se, np.nan)


def ratio_of_means(over: ArrayLike, under: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the ratio of the means over the first axis of values (N, ...) and (N, ...), and its standard error (...).

    The error is that of both means (delta method), NaN for a single value. 0 / 0 is 0: nothing of nothing.

    >>> ratio_of_means([1.0, 3.0], [2.0, 6.0])
    (array(0.5), array(0.))
    """
    over_N, under_N = np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)
    top, bottom = over_N.mean(axis=0), under_N.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where((top == 0) & (bottom == 0), 0.0, top / bottom)
        se = mean_and_se(over_N - ratio * under_N)[1] / bottom
    return np.asarray(ratio), np.where((top == 0) & (bottom == 0), 0.0, se)


def root_of_ratio(over: ArrayLike, under: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the root of `ratio_of_means`, such as a relative root mean square of squares, and its standard error.

    >>> root_of_ratio([1.0, 1.0], [4.0, 4.0])
    (array(0.5), array(0.))
    """
    ratio, se = ratio_of_means(over, under)
    root = np.sqrt(np.maximum(ratio, 0))  # below 0 by rounding alone
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(root), np.where(root > 0, se / (2 * root), se)


def binomial_se(accuracy: float, count: int) -> float:
    """Return the standard error of an accuracy over `count` independent trials (Agresti & Coull 1998).

    Two successes and two failures are added: the plain sqrt(p (1 - p) / n) is 0 at p = 1 for any number of trials.
    """
    share = (accuracy * count + 2) / (count + 4)
    return math.sqrt(share * (1 - share) / (count + 4))
