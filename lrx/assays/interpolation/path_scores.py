"""Scores of paths between codes: distance from the manifold, evenness, length, and factors that stay.

mean_u: mean of |u| = |h(z) - z| by length. jump: largest over mean distance of decoded neighbours. cost: integral of
1 + w |u|. kept: share of a path's inner points on which every factor that both ends share is unchanged, as a probe
network reads it. P paths of T points, D latents, F factors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.responses.encoding import eval_mode
from lrx.responses.measurement import Measurement
from lrx.responses.paths import mean_along_path, path_cost, segment_lengths
from lrx.responses.stored_observations import as_stored
from lrx.sample_quality.factor_probe import Probe

DESCRIPTIONS = {
    "mean_u": ("latent", "mean |h(z) - z| along the path, by length"),
    "jump": ("1", "largest over mean distance of decoded neighbours, 1 where nothing moves"),
    "length": ("latent", "length of the path"),
    "cost": ("latent", "integral of 1 + weight |u| along the path"),
    "kept": ("1", "share of inner points on which all shared factors are unchanged; NaN where none is shared and read"),
}


@dataclass(frozen=True)
class SharedFactors:
    """Probe network that reads factors from decoded points, and the factors bool (P, F) that count for each pair."""

    probe: Probe
    counted_PF: Tensor


@dataclass(frozen=True)
class ScoredPaths:
    """Values of what `DESCRIPTIONS` lists, float64 (P,) on the CPU, and the points of the first pairs as stored."""

    values: dict[str, Tensor]
    images: np.ndarray


def score_paths(
    m: Measurement,
    path_PTD: Tensor,
    u_PT: Tensor,
    shared: SharedFactors | None,
    *,
    weight: float,
    shown: int,
    count: Callable[[int], None],
) -> ScoredPaths:
    """Score paths (P, T, D) with |u| (P, T) at their points.

    shared: None where no factors are read. weight: w of the cost. shown: pairs whose points are stored as images.
    count: called with the number of points decoded since the last call.
    """
    jumps, shares, images = [], [], []
    pairs, points = path_PTD.shape[:2]
    for group in torch.split(torch.arange(pairs), max(1, m.batch_size // points)):
        z_ND = path_PTD[group].flatten(0, 1)
        with eval_mode(m.autoencoder):
            x = torch.cat([m.autoencoder.decode(z_BD) for z_BD in torch.split(z_ND, m.batch_size)])
            jumps.append(_jump(torch.unflatten(x, 0, (-1, points))))
            if shared is not None:
                read = torch.cat([shared.probe.classes(part) for part in torch.split(x, m.batch_size)])
                shares.append(_share_unchanged(torch.unflatten(read, 0, (-1, points)), shared.counted_PF[group]))
        if group[0] < shown:
            images.append(as_stored(x)[: (shown - int(group[0])) * points])
        count(len(z_ND))
    stored = np.concatenate(images)
    values = {
        "mean_u": mean_along_path(path_PTD, u_PT),
        "jump": torch.cat(jumps),
        "length": segment_lengths(path_PTD).sum(1),
        "cost": path_cost(path_PTD, u_PT, weight=weight),
        "kept": torch.cat(shares) if shares else torch.full((pairs,), math.nan, dtype=torch.float64),
    }
    values = {name: values_P.double().cpu() for name, values_P in values.items()}
    return ScoredPaths(values, stored.reshape(-1, points, *stored.shape[1:]))


def factors_read_alike(m: Measurement, probe: Probe, ends: Tensor, classes: Tensor) -> Tensor:
    """Return the factors (P, F) that both images of a pair share and the probe reads correctly from both decoded ends.

    ends: codes (2, P, D). classes: int64 (2, P, F).
    """
    read = []
    with eval_mode(m.autoencoder):
        for z_PD in ends:
            batches = torch.split(z_PD, m.batch_size)
            read.append(torch.cat([probe.classes(m.autoencoder.decode(z_BD)) for z_BD in batches]))
    return (classes[0] == classes[1]) & (read[0] == classes[0]) & (read[1] == classes[1])


def _jump(x: Tensor) -> Tensor:
    """Return the largest over the mean distance of neighbours, float64 (P,), of observations (P, T, ...)."""
    distances_PT = x.diff(dim=1).flatten(2).double().norm(dim=2)
    mean_P = distances_PT.mean(1)
    return torch.where(mean_P > 0, distances_PT.amax(1) / mean_P, 1.0).clone()


def _share_unchanged(read_PTF: Tensor, counted_PF: Tensor) -> Tensor:
    """Return the share of inner points whose counted factors are read as at the first point; NaN where none counts."""
    same_PTF = (read_PTF[:, 1:-1] == read_PTF[:, :1]) | ~counted_PF[:, None]
    return torch.where(counted_PF.any(1), same_PTF.all(2).double().mean(1), math.nan)
