"""Unsupervised disentanglement ranking: agreement on latents among models that differ in their seed only.

UDR_ij = 1/(d_a + d_b) (sum_b r_b^2 / sum_a R_ab + sum_a r_a^2 / sum_b R_ab), where R_ab is the absolute Spearman
correlation of latent a of model i and latent b of model j, r_b = max_a R_ab, r_a = max_b R_ab, and d_a, d_b are the
numbers of carrying latents, the only ones that count. The score of a model is the median over its partners. It needs
no labels: models that agree up to order and sign have 1.
Source: Duan et al. 2020 (arXiv 1905.12614), UDR with Spearman correlations. As in the authors' code, a latent that is
not carrying is left out of R as a whole. Where d_a and d_b differ, that code averages two means; this is the formula
of the paper. N images, D latents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

MOST_AT_ONCE = 2**23  # correlations of models with others


def udr(
    codes: Sequence[np.ndarray], carrying: Sequence[np.ndarray], seeds: Sequence[object]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the score of each of M models (M,), and the number of its partners (M,).

    codes: (N, D) of each model, of the same N images; D may differ. carrying: bool (D,) of each. seeds: of each;
    two models are partners where theirs differ. NaN without a partner; a pair of which one model has no carrying
    latent scores 0. ValueError for other shapes, or codes that are not finite.
    """
    for codes_ND, carrying_D in zip(codes, carrying, strict=True):
        if codes_ND.ndim != 2 or len(codes_ND) < 2 or len(codes_ND) != len(codes[0]):
            raise ValueError(f"codes must be of the same 2 or more images, not {codes_ND.shape} and {codes[0].shape}")
        if carrying_D.shape != codes_ND.shape[1:]:
            raise ValueError(f"carrying must have one place a latent of {codes_ND.shape}, not {carrying_D.shape}")
        if not np.isfinite(codes_ND).all():
            raise ValueError("codes must be finite")
    sizes_M = np.array([int(np.count_nonzero(columns)) for columns in carrying], dtype=int)
    width = int(sizes_M.max(initial=1))
    # of all models side by side, so that those of several are one matrix
    ranks_NMD = np.zeros((len(codes[0]) if len(codes) else 0, len(codes), width))
    for place, (part, columns) in enumerate(zip(codes, carrying, strict=True)):
        ranks_NMD[:, place, : sizes_M[place]] = standard_ranks(part[:, columns.astype(bool)])
    pairs = np.full((len(codes), len(codes)), math.nan)
    at_once = max(1, math.isqrt(MOST_AT_ONCE) // width)
    starts = range(0, len(codes), at_once)
    for first, start in ((i, j) for i in starts for j in starts if j <= i):
        rows_DN, columns_NE = (ranks_NMD[:, k : k + at_once].reshape(len(ranks_NMD), -1) for k in (first, start))
        similarity = np.abs(rows_DN.T @ columns_NE).reshape(-1, width, columns_NE.shape[1] // width, width)
        for i, similarity_DMD in enumerate(similarity, start=first):
            others = slice(start, min(i, start + at_once))
            counts_M = np.where(sizes_M[others] * sizes_M[i] > 0, sizes_M[others] + sizes_M[i], 0)
            partner_M = np.array([seeds[i] != seed for seed in seeds[others]])
            found_M = agreement(similarity_DMD[:, : len(counts_M)], counts_M)
            pairs[i, others] = np.where(partner_M, found_M, math.nan)
            pairs[others, i] = pairs[i, others]
    partners = np.isfinite(pairs).sum(axis=1)
    scores = [
        float(np.median(row[np.isfinite(row)])) if count else math.nan
        for row, count in zip(pairs, partners, strict=True)
    ]
    return np.array(scores), partners


def agreement(similarity_DMD: np.ndarray, counts_M: np.ndarray) -> np.ndarray:
    """Return UDR_ij (M,) of similarities from 0 to 1 of the latents of a model i and those of M models j.

    counts: d_a + d_b, 0 where one of them has no carrying latents; rows and columns of zeros stand for other latents.
    """
    total_M = _squares_over_sums(similarity_DMD, 0).sum(-1) + _squares_over_sums(similarity_DMD, 2).sum(0)
    return np.asarray(np.divide(total_M, counts_M, out=np.zeros(len(counts_M)), where=counts_M > 0))


def _squares_over_sums(similarity: np.ndarray, axis: int) -> np.ndarray:
    """Return the squared maximum along an axis over the sum along it; 0 where all are 0."""
    total = similarity.sum(axis=axis)
    return np.asarray(np.square(similarity.max(axis=axis, initial=0)) / np.where(total > 0, total, 1))


def standard_ranks(codes_ND: np.ndarray) -> np.ndarray:
    """Return the ranks of each column (ties share theirs), centred and scaled so that products are correlations."""
    if not codes_ND.shape[1]:
        return codes_ND.astype(np.float64)
    ranks_ND = _ranks(codes_ND) - (len(codes_ND) + 1) / 2
    length_D = np.linalg.norm(ranks_ND, axis=0)
    return np.asarray(ranks_ND / np.where(length_D > 0, length_D, 1))


def _ranks(codes_ND: np.ndarray) -> np.ndarray:
    """Return the ranks of each column from 1, the mean of theirs for ties; scipy's take five times as long."""
    codes_DN = np.ascontiguousarray(codes_ND.T)
    order_DN = np.argsort(codes_DN, axis=1) + codes_DN.shape[1] * np.arange(len(codes_DN))[:, None]  # among all codes
    sorted_DN = codes_DN.take(order_DN)
    ranks_DN = np.empty(codes_DN.shape)
    ranks_DN.reshape(-1)[order_DN] = np.arange(1.0, codes_DN.shape[1] + 1)
    for d in np.flatnonzero((sorted_DN[:, 1:] == sorted_DN[:, :-1]).any(axis=1)):
        below_N, up_to_N = (np.searchsorted(sorted_DN[d], codes_DN[d], side) for side in ("left", "right"))
        ranks_DN[d] = (below_N + up_to_N + 1) / 2
    return ranks_DN.T
