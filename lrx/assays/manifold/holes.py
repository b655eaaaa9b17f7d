"""Holes of the prior: shares of its points, with their standard errors."""

from __future__ import annotations

import math

import numpy as np


def share(hits: np.ndarray) -> tuple[float, float]:
    """Return the share of hits (N,), and its binomial standard error at (hits + 1/2) / (N + 1): not 0 without hits."""
    smoothed = (hits.sum() + 0.5) / (len(hits) + 1)
    return float(hits.mean()), math.sqrt(smoothed * (1 - smoothed) / len(hits))


def share_beyond(prior: np.ndarray, posterior: np.ndarray, quantile: float) -> tuple[float, float]:
    """Return the share of prior values above a quantile of M posterior values, and its standard error.

    The binomial error and that of the quantile are combined: the latter is half the change of the share from one
    standard error sqrt(q (1 - q) / M) of the rank below to one above.
    """
    rank_se = math.sqrt(quantile * (1 - quantile) / len(posterior))
    low, middle, high = np.quantile(posterior, np.clip([quantile - rank_se, quantile, quantile + rank_se], 0, 1))
    mass, binomial = share(prior > middle)
    return mass, math.hypot(binomial, ((prior > low).mean() - (prior > high).mean()) / 2)
