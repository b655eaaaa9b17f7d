"""Mutual information of binned codes, in nats, by counting: I = mean of log p(a, b) / (p(a) p(b)).

Bins are 20 of equal width over the range of a latent in the study (Locatello et al. 2019), not quantile bins. Counting
overestimates: independent variables of A and B values have I near (A - 1)(B - 1) / 2N, not 0. N points, D latents.
"""

from __future__ import annotations

import numpy as np

from lrx.core.types import Array
from lrx.metrics.record import LATENT_FACTOR


def discretize(codes_ND: np.ndarray, bins: int) -> np.ndarray:
    """Convert codes (N, D) to bins int64 (N, D) from 0, of equal width over the range of each latent."""
    edges = [np.histogram_bin_edges(column, bins)[:-1] for column in codes_ND.T]
    return np.stack([np.digitize(column, edge) - 1 for column, edge in zip(codes_ND.T, edges, strict=True)], axis=1)


def quantile_bins(values_ND: np.ndarray, bins: int) -> np.ndarray:
    """Convert columns (N, D) to bins int64 (N, D) from 0, of equal numbers of points.

    Equal values share the bin of their middle rank, so that others have bins apart on both sides of a common value,
    such as 0 in a sparse code.
    """
    columns = []
    for column_N in values_ND.T:
        sorted_N = np.sort(column_N)
        below_N, up_to_N = (np.searchsorted(sorted_N, column_N, side) for side in ("left", "right"))
        twice_rank_N = below_N + up_to_N - 1
        columns.append(np.minimum(twice_rank_N * bins // max(1, 2 * (len(column_N) - 1)), bins - 1))
    return np.stack(columns, axis=1)


def pointwise(bins_ND: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Return log p(bin, label) / (p(bin) p(label)) at each point (N, D), whose mean over points is the information.

    It is also the influence of a point on the information, up to that mean, and so gives standard errors.
    """
    width = int(labels_N.max()) + 1
    pointwise_ND = np.empty(bins_ND.shape)
    for latent, bins_N in enumerate(bins_ND.T):
        cells_N = bins_N * width + labels_N
        counts = np.bincount(cells_N, minlength=(int(bins_N.max()) + 1) * width).reshape(-1, width)
        independent = np.outer(counts.sum(1), counts.sum(0)) / len(labels_N)
        ratio = np.divide(counts, independent, out=np.ones_like(independent), where=counts > 0)
        pointwise_ND[:, latent] = np.log(ratio).ravel()[cells_N]
    return pointwise_ND


def mutual_information(bins_ND: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Return the mutual information (D,) in nats of each latent's bins and the labels."""
    return np.asarray(pointwise(bins_ND, labels_N).mean(axis=0))


def surprise(labels_N: np.ndarray) -> np.ndarray:
    """Return -log p(label) at each point (N,), whose mean is the entropy in nats."""
    return np.asarray(-np.log(np.bincount(labels_N)[labels_N] / len(labels_N)))


def information_array(matrix_DF: np.ndarray) -> Array:
    """Return mutual information (D, F) as an array of a result, which MIG and modularity share."""
    return Array(matrix_DF, LATENT_FACTOR, "nat", "mutual information of the latent and the factor")
