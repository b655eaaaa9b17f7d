"""Area under the ROC curve of a score, and its standard error (DeLong et al. 1988). N points."""

from __future__ import annotations

import numpy as np


def area_under_roc(score_N: np.ndarray, positive_N: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the area under the ROC curve, ties counted half, and the influence of each point (N,), whose norm is the
    standard error."""
    from scipy.stats import rankdata

    ranks_N, positives = rankdata(score_N), int(positive_N.sum())
    negatives = len(score_N) - positives
    placement_N = np.empty(len(score_N))  # share of the other kind that is ranked correctly against a point
    placement_N[positive_N] = (ranks_N[positive_N] - rankdata(score_N[positive_N])) / negatives
    placement_N[~positive_N] = 1 - (ranks_N[~positive_N] - rankdata(score_N[~positive_N])) / positives
    area = float(placement_N[positive_N].mean())
    return area, (placement_N - area) / np.where(positive_N, positives, negatives)
