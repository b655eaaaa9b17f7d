"""Alignment of latents over models: which latent of each model has the place of which latent of a reference model.

The latents of a trained model have no order, and no sign, of their own. A permutation for each model maximises the
total similarity with the reference (Hungarian method). Similarity of latent a of one model and b of another:
    codes: |r_ab|, r the Spearman correlation of their codes of the same images; the sign of b is that of r_ab.
    responses: sum_c C_ca C_cb of conditioned responses C (F, D), whose best permutation is that of the least
        sum of (C_ca - C_cb)^2; responses have no sign.
The agreement of a matched pair is |r_ab|, or the cosine of its responses: 0 where one of them is constant, or zero.
The reference is the model whose matches have the largest mean similarity, of at most MOST_REFERENCES that are tried.
M models, N images, F factors, D latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrx.metrics.udr import standard_ranks

MOST_REFERENCES = 16
MOST_LATENTS = 512  # the method takes the cube of their number


class Alignment(NamedTuple):
    """Reference (a model's position), and of each model the latents in its order, their signs, and agreement (M, D)."""

    reference: int
    order_MD: np.ndarray
    sign_MD: np.ndarray
    agreement_MD: np.ndarray


def align_codes(codes: Sequence[np.ndarray]) -> Alignment:
    """Align models by their codes (N, D) of the same N images. ValueError for other shapes, or not finite."""
    ranks = [standard_ranks(codes_ND) for codes_ND in _checked("codes", codes)]
    return _align(ranks, np.ones((len(ranks), ranks[0].shape[1])))


def align_responses(matrices: Sequence[np.ndarray]) -> Alignment:
    """Align models by their conditioned response matrices (F, D). ValueError as `align_codes`."""
    checked = [np.asarray(matrix_FD, dtype=np.float64) for matrix_FD in _checked("matrices", matrices)]
    return _align(checked, np.array([np.linalg.norm(matrix_FD, axis=0) for matrix_FD in checked]))


def _checked(name: str, arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or arrays[0].ndim != 2 or arrays[0].shape[1] > MOST_LATENTS or not arrays[0].size:
        found = ", ".join(map(str, sorted(shapes)))
        raise ValueError(f"{name} must have one shape, with at most {MOST_LATENTS} latents as columns, not {found}")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(f"{name} must be finite")
    return arrays


def _align(columns: Sequence[np.ndarray], lengths_MD: np.ndarray) -> Alignment:
    """Align models by products of columns (., D); lengths: what the products are divided by for the agreement."""
    candidates = [_matches(columns, lengths_MD, reference) for reference in range(min(len(columns), MOST_REFERENCES))]
    # rounded, so that the first of equal ones is taken on every machine
    return max(candidates, key=lambda found: round(float(found.agreement_MD.mean()), 9))


def _matches(columns: Sequence[np.ndarray], lengths_MD: np.ndarray, reference: int) -> Alignment:
    from scipy.optimize import linear_sum_assignment  # takes a quarter of a second to import

    product_MDD = np.array([columns[reference].T @ own for own in columns])
    order_MD = np.array([linear_sum_assignment(np.abs(own), maximize=True)[1] for own in product_MDD])
    matched_MD = np.take_along_axis(product_MDD, order_MD[:, :, None], axis=2)[:, :, 0]
    scale_MD = lengths_MD[reference] * np.take_along_axis(lengths_MD, order_MD, axis=1)
    agreement_MD = np.abs(matched_MD) / np.where(scale_MD > 0, scale_MD, 1)
    return Alignment(reference, order_MD, np.where(matched_MD < 0, -1, 1), agreement_MD)
