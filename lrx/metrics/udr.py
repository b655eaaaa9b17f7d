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
    ranks = [standard_ranks(part[:, columns.astype(bool)]) for part, columns in zip(codes, carrying, strict=True)]
    pairs = np.full((len(ranks), len(ranks)), math.nan)
    for i, ranks_i in enumerate(ranks):
        for j, ranks_j in enumerate(ranks[:i]):
            if seeds[i] != seeds[j]:
                pairs[i, j] = pairs[j, i] = agreement(np.abs(ranks_i.T @ ranks_j))
    partners = np.isfinite(pairs).sum(axis=1)
    scores = [
        float(np.median(row[np.isfinite(row)])) if count else math.nan
        for row, count in zip(pairs, partners, strict=True)
    ]
    return np.array(scores), partners


def agreement(similarity_DD: np.ndarray) -> float:
    """Return UDR_ij of a matrix (D_i, D_j) of similarities from 0 to 1; 0 without rows or columns."""
    if not similarity_DD.size:
        return 0.0
    ratios = []
    for axis in (0, 1):
        total_D = similarity_DD.sum(axis=axis)
        ratios.append(np.square(similarity_DD.max(axis=axis)) / np.where(total_D > 0, total_D, 1))
    return float(np.concatenate(ratios).mean())


def standard_ranks(codes_ND: np.ndarray) -> np.ndarray:
    """Return the ranks of each column (ties share theirs), centred and scaled so that products are correlations."""
    from scipy.stats import rankdata  # takes a second to import

    if not codes_ND.shape[1]:
        return codes_ND.astype(np.float64)
    ranks_ND = rankdata(codes_ND, axis=0) - (len(codes_ND) + 1) / 2
    length_D = np.linalg.norm(ranks_ND, axis=0)
    return np.asarray(ranks_ND / np.where(length_D > 0, length_D, 1))
