"""Bootstrap over groups of draws: means of rows whose draws are in G groups.

G groups, R rows, D responses, B replicates.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

ENTRIES = 2**22  # entries of replicates held in memory at a time


def resampled_means(sums_GRD: Tensor, counts_GR: Tensor, number: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield means (B, R, D) of `number` samples of groups with replacement, some B at a time.

    sums, counts: over the draws of each group. A row of which a sample takes no draw, as may be where few groups have
    any, keeps its mean.
    """
    filled_G = (counts_GR > 0).any(1)
    filled_GR, sums_GE = counts_GR[filled_G], sums_GRD[filled_G].flatten(1)
    groups, entries = sums_GE.shape
    picks_BG = torch.randint(groups, (number, groups), generator=generator)
    times_BG = torch.zeros(number, groups, dtype=torch.float64).scatter_add_(
        1, picks_BG, torch.ones(number, groups, dtype=torch.float64)
    )
    mean_RD = sums_GRD.sum(0) / counts_GR.sum(0)[:, None]
    for part_BG in torch.split(times_BG, max(1, ENTRIES // entries)):
        counts_BR1 = (part_BG @ filled_GR)[:, :, None]
        yield torch.where(counts_BR1 > 0, (part_BG @ sums_GE).view(-1, *mean_RD.shape) / counts_BR1, mean_RD)
