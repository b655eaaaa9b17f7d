"""Draws of interventions do(f_j := v) on a sparse code: on which vectors, and by how much feature j changes.

N draws, D features, A vectors on which a feature is active. Codes are those of vectors of the data; a prior would set
features that are never active together.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.responses.active_features import ActiveFeatures

VALUES = ("other", "ablate", "insert")
Draws = tuple[Tensor, Tensor]  # vectors int64 (N,), on the CPU, and changes (N,)


def num_draws(active: ActiveFeatures, *, values: str, num_samples: int) -> Tensor:
    """Return the number of draws of each feature (D,): at most `num_samples`, and fewer where the data has not so many.

    values: see `draws_of`.
    """
    counts_D = active.starts_D1.diff()
    if values == "insert":
        available_D = torch.where(counts_D > 0, len(active.decoded_NP) - counts_D, 0)
    else:
        available_D = counts_D // 2 if values == "other" else counts_D
    return available_D.clamp(max=num_samples)


def draws_of(active: ActiveFeatures, feature: int, count: int, *, values: str, generator: torch.Generator) -> Draws:
    """Return `count` draws of a feature, of the number that `num_draws` gives.

    values: `other`, on vectors where the feature is active it gets the activation that it has on another one, each
        vector in one draw alone, so that draws are independent; `ablate`, it gets 0; `insert`, on vectors where it is
        not active it gets the median of its activations.
    """
    vectors_A, values_A = active.of(feature)
    if values == "insert":
        is_free_N = torch.ones(len(active.decoded_NP), dtype=torch.bool)
        is_free_N[vectors_A] = False
        free = is_free_N.nonzero()[:, 0]
        chosen = free[torch.randperm(len(free), generator=generator)[:count]]
        return chosen, _median(values_A).expand(count) if count else values_A[:0]
    order = torch.randperm(len(vectors_A), generator=generator)
    first, second = order[:count], order[count : 2 * count]
    if values == "ablate":
        return vectors_A[first], -values_A[first]
    return vectors_A[first], values_A[second] - values_A[first]


def _median(values_A: Tensor) -> Tensor:
    """Return the median, of an even number the mean of the two in the middle: torch's is the lower one."""
    return (values_A.median() - (-values_A).median()) / 2
