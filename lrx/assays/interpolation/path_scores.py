"""Scores of paths between codes: how near the manifold they run, how evenly, how far, and what stays on the way.

mean_u: the mean of |u| = |h(z) - z| by length. jump: the largest over the mean distance of decoded neighbours. cost:
the integral of 1 + w |u|. kept: the share of a path's inner points on which every factor that both ends share is
unchanged, as a probe network reads it. P paths of T points, D latents, F factors.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lrx.core.types import Autoencoder
from lrx.responses.encoding import eval_mode
from lrx.responses.paths import cost, lengths, mean_along
from lrx.responses.stored_observations import as_stored
from lrx.sample_quality.factor_probe import Probe

DESCRIPTIONS = {
    "mean_u": ("latent", "mean |h(z) - z| along the path, by length"),
    "jump": ("1", "largest over mean distance of decoded neighbours, 1 where nothing moves"),
    "length": ("latent", "length of the path"),
    "cost": ("latent", "integral of 1 + weight |u| along the path"),
    "kept": ("1", "share of inner points on which all shared factors are unchanged; NaN where none is shared and read"),
}


def path_scores(
    autoencoder: Autoencoder,
    path_PTD: Tensor,
    u_PT: Tensor,
    probe: Probe | None,
    shared_PF: Tensor,
    *,
    weight: float,
    shown: int,
    batch_size: int,
    progress: Callable[[int], None],
) -> tuple[dict[str, Tensor], np.ndarray]:
    """What `DESCRIPTIONS` lists of each path, float64 (P,) on the CPU, and the points of the first `shown` as stored.

    path_PTD, u_PT: the points (P, T, D), and |u| (P, T) at them.
    probe, shared_PF: what reads factors from decoded points, None for none, and the factors bool (P, F) that count for
    each path, see `readable`.
    weight: w of the cost. progress: called with how many more points are decoded.
    """
    jump_P, kept_P, images = _decoded(autoencoder, path_PTD, probe, shared_PF, shown, batch_size, progress)
    measured = {
        "mean_u": mean_along(path_PTD, u_PT),
        "jump": jump_P,
        "length": lengths(path_PTD).sum(1),
        "cost": cost(path_PTD, u_PT, weight=weight),
        "kept": kept_P,
    }
    return {name: values_P.double().cpu() for name, values_P in measured.items()}, images


def readable(
    autoencoder: Autoencoder,
    probe: Probe,
    a_PD: Tensor,
    b_PD: Tensor,
    classes_a_PF: Tensor,
    classes_b_PF: Tensor,
    *,
    batch_size: int,
) -> Tensor:
    """The factors of each pair that both images share and the probe reads rightly from both decoded ends: (P, F)."""
    read = []
    with eval_mode(autoencoder):
        for z_PD in (a_PD, b_PD):
            read.append(torch.cat([probe.classes(autoencoder.decode(z_BD)) for z_BD in torch.split(z_PD, batch_size)]))
    return (classes_a_PF == classes_b_PF) & (read[0] == classes_a_PF) & (read[1] == classes_b_PF)


def _decoded(
    autoencoder: Autoencoder,
    path_PTD: Tensor,
    probe: Probe | None,
    shared_PF: Tensor,
    shown: int,
    batch_size: int,
    progress: Callable[[int], None],
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Jumps (P,), shares of points that keep what is shared (P,), and the stored images of the first pairs."""
    jumps, shares, images = [], [], []
    pairs, points = path_PTD.shape[:2]
    for group in torch.split(torch.arange(pairs), max(1, batch_size // points)):
        z_ND = path_PTD[group].flatten(0, 1)
        with eval_mode(autoencoder):
            x = torch.cat([autoencoder.decode(z_BD) for z_BD in torch.split(z_ND, batch_size)])
            pieces = (torch.unflatten(x, 0, (-1, points)).diff(dim=1)).flatten(2).double().norm(dim=2)
            mean = pieces.mean(1)
            jumps.append(torch.where(mean > 0, pieces.amax(1) / mean, 1.0).clone())
            if probe is not None:
                read = torch.cat([probe.classes(part) for part in torch.split(x, batch_size)])
                read = torch.unflatten(read, 0, (-1, points))
                same = (read[:, 1:-1] == read[:, :1]) | ~shared_PF[group][:, None]
                shares.append(same.all(2).double().mean(1))
        if group[0] < shown:
            images.append(as_stored(x)[: (shown - int(group[0])) * points])
        progress(len(z_ND))
    kept_P = torch.cat(shares) if shares else torch.full((pairs,), math.nan, dtype=torch.float64)
    if probe is not None:
        kept_P = torch.where(shared_PF.any(1), kept_P, math.nan)
    stored = np.concatenate(images)
    return torch.cat(jumps), kept_P, stored.reshape(-1, points, *stored.shape[1:])
