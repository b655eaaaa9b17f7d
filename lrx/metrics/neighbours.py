"""Mutual information by nearest neighbours, in nats, without bins: of a latent with classes or a continuous factor.

Classes (Ross 2014, PLoS ONE 9, e87357): I = mean of psi(N) + psi(k) - psi(N_c) - psi(m), where N_c points have the
class of the point, and m points (itself included) are nearer than its k-th neighbour of that class. Continuous (Kraskov
et al. 2004, Phys. Rev. E 69, 066138, first estimator): I = mean of psi(N) + psi(k) - psi(n_x) - psi(n_y), where n_x and
n_y points (itself included) are nearer in one coordinate than the k-th neighbour is in the larger of both. These are
the estimators of scikit-learn's mutual_info_classif and mutual_info_regression, which keep no values of single points;
their spread over points is what gives standard errors. Ties are separated by noise of 1e-10, as there. N points,
D latents.
"""

from __future__ import annotations

import numpy as np

JITTER = 1e-10  # in standard deviations


def jittered(values_ND: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the columns (N, D) divided by their standard deviations, ties separated; constant columns become 0."""
    varying_D = np.ptp(values_ND, axis=0) > 0
    scaled_ND = np.zeros(values_ND.shape)
    part_ND = values_ND[:, varying_D]
    part_ND = (part_ND - part_ND.mean(axis=0)) / part_ND.std(axis=0)
    scaled_ND[:, varying_D] = part_ND + JITTER * random.standard_normal(part_ND.shape)
    return scaled_ND


def pointwise_with_classes(codes_ND: np.ndarray, labels_N: np.ndarray, *, neighbours: int) -> np.ndarray:
    """Return values at each point (N, D), whose mean over points is the information of each latent and the classes.

    codes: of `jittered`. labels: int64 from 0. A class with fewer points than `neighbours` takes as many as it has; the
    only point of a class has no neighbour, is left out of all counts, and gets the mean of the others.
    """
    from scipy.special import digamma

    counts_N = np.bincount(labels_N)[labels_N]
    kept_N = counts_N > 1
    result_ND = np.zeros(codes_ND.shape)
    if not kept_N.any():
        return result_ND
    labels_M, counts_M = labels_N[kept_N], counts_N[kept_N]
    constant_M = digamma(len(labels_M)) + digamma(np.minimum(neighbours, counts_M - 1)) - digamma(counts_M)
    members = [np.flatnonzero(labels_M == label) for label in np.unique(labels_M)]
    for latent in np.flatnonzero(np.ptp(codes_ND, axis=0) > 0):
        code_M = codes_ND[kept_N, latent]
        radius_M = np.empty(len(code_M))
        for member in members:
            order = member[np.argsort(code_M[member])]
            radius_M[order] = _distance_to_neighbour(code_M[order], min(neighbours, len(order) - 1))
        result_ND[kept_N, latent] = constant_M - digamma(_count_nearer(code_M, radius_M))
    result_ND[~kept_N] = result_ND[kept_N].mean(axis=0)
    return result_ND


def pointwise_with_values(codes_ND: np.ndarray, values_N: np.ndarray, *, neighbours: int) -> np.ndarray:
    """Return values at each point (N, D), whose mean over points is the information of each latent and the values.

    codes and values: of `jittered`.
    """
    from scipy.spatial import KDTree
    from scipy.special import digamma

    count = min(neighbours, len(values_N) - 1)
    result_ND = np.zeros(codes_ND.shape)
    for latent in np.flatnonzero(np.ptp(codes_ND, axis=0) > 0):
        both_N2 = np.stack([codes_ND[:, latent], values_N], axis=1)
        radius_N = KDTree(both_N2).query(both_N2, k=[count + 1], p=np.inf)[0][:, 0]  # the first is the point itself
        nearer = [digamma(_count_nearer(column_N, radius_N)) for column_N in both_N2.T]
        result_ND[:, latent] = digamma(len(values_N)) + digamma(count) - nearer[0] - nearer[1]
    return result_ND


def _distance_to_neighbour(sorted_N: np.ndarray, count: int) -> np.ndarray:
    """Return the distance (N,) from each of the sorted values to its `count`-th nearest, itself not counted."""
    distance_N = np.full(len(sorted_N), np.inf)
    first, last = sorted_N[: len(sorted_N) - count], sorted_N[count:]  # ends of all runs of count + 1 values
    for below in range(count + 1):
        place = slice(below, len(sorted_N) - count + below)
        reach = np.maximum(sorted_N[place] - first, last - sorted_N[place])
        distance_N[place] = np.minimum(distance_N[place], reach)
    return distance_N


def _count_nearer(values_N: np.ndarray, radius_N: np.ndarray) -> np.ndarray:
    """Count the values nearer to each value than its radius, itself included."""
    sorted_N = np.sort(values_N)
    radius_N = (
        radius_N - 16 * np.finfo(float).eps * np.abs(values_N).max()
    )  # below rounding: never the neighbour itself
    above_N = np.searchsorted(sorted_N, values_N + radius_N, "right")
    return np.asarray(np.maximum(1, above_N - np.searchsorted(sorted_N, values_N - radius_N, "left")))
