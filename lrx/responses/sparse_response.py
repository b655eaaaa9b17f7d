"""Response of a sparse code to do(f_j := v), exact and without a pass of a network.

h(f) = activate(p(f)) with p affine in f, so that the intervention adds (v - f_j) G_jk to p_k, G = W_dec W_enc, whatever
else is active. One row of G is made for a feature, never all of G. N draws, D features, P numbers of a vector, K
responding features that are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.sparse_code import SparseCode
from lrx.core.statistics import binomial_se, mean_and_se
from lrx.responses.active_features import ActiveFeatures, rows_at_once
from lrx.responses.encoding import eval_mode

STATISTICS = ("num_draws", "step", "gain", "obeyed", "selectivity", "switched_on", "switched_off")
ERRORS = tuple(f"{name}_se" for name in STATISTICS[2:])
OBEYS = (
    0.5  # a feature obeys a draw that moves its response by more than this share of the change set, in its direction
)


@dataclass(frozen=True)
class FeatureResponse:
    """Response to one feature: STATISTICS, then ERRORS, float64; and the responding features, by response."""

    statistics: np.ndarray
    responding_K: np.ndarray
    value_K: np.ndarray
    value_se_K: np.ndarray


def feature_response(
    autoencoder: SparseCode,
    active: ActiveFeatures,
    feature: int,
    *,
    draws: tuple[Tensor, Tensor],
    g_D: Tensor,
    most: int,
) -> FeatureResponse:
    """Measure the response to one feature over draws (vectors, changes) of `lrx.responses.sparse_draws`.

    g_D: its row of G. most: responding features to keep; of those that moved by more than rounding.
    """
    vectors_N, change_N = draws
    count, w_P = len(vectors_N), autoencoder.decoder_DP[feature]
    step = float(change_N.double().square().mean().sqrt()) if count else np.nan
    if not count or step == 0:
        nothing = np.full(len(STATISTICS) + len(ERRORS), np.nan)
        nothing[:2] = 0, step
        return FeatureResponse(nothing, np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    squares_D, fourths_D = (torch.zeros(len(g_D), dtype=torch.float64, device=g_D.device) for _ in range(2))
    own, totals, on, off, largest = [], [], [], [], torch.zeros_like(g_D)
    with eval_mode(autoencoder):
        for part in torch.split(torch.arange(count), rows_at_once(len(g_D))):
            x_BP = active.decoded_NP[vectors_N[part].to(g_D.device)]
            p_BD = autoencoder.preactivations(x_BP)
            before_BD = autoencoder.activate(p_BD)
            after_BD = autoencoder.activate(
                autoencoder.after_setting(p_BD, x_BP, change_N[part.to(g_D.device)], w_P=w_P, g_D=g_D)
            )
            largest = torch.maximum(largest, torch.maximum(before_BD.amax(0), after_BD.amax(0)))
            is_on_BD, was_on_BD = after_BD > 0, before_BD > 0
            is_on_BD[:, feature] = was_on_BD[:, feature]  # the others are counted
            on.append((is_on_BD & ~was_on_BD).sum(1))
            off.append((was_on_BD & ~is_on_BD).sum(1))
            d_BD = (after_BD - before_BD).div_(step)
            own.append(d_BD[:, feature].double())
            squares_BD = d_BD.square()
            totals.append(squares_BD.sum(1, dtype=torch.float64))
            squares_D += squares_BD.sum(0, dtype=torch.float64)
            fourths_D += squares_BD.square_().sum(0, dtype=torch.float64)
    numbers = [torch.cat(parts).double().cpu().numpy() for parts in (own, totals, on, off)]
    statistics = _statistics(step, change_N.double().cpu().numpy() / step, *numbers)
    rounding_D = 16 * torch.finfo(g_D.dtype).eps * largest.double() / step
    mean_D = squares_D / count
    mean_K, responding_K = torch.where(mean_D.sqrt() > rounding_D, mean_D, 0.0).topk(min(most, len(mean_D)))
    responding_K = responding_K[mean_K > 0]
    mean_K = mean_D[responding_K]
    spread_K = (fourths_D[responding_K] / count - mean_K.square()).clamp(min=0)
    se_K = (spread_K / (count - 1)).sqrt() if count > 1 else torch.full_like(mean_K, torch.nan)
    value_K = mean_K.sqrt()
    return FeatureResponse(
        statistics,
        responding_K.cpu().numpy(),
        (step * value_K).cpu().numpy(),
        (step * se_K / (2 * value_K)).cpu().numpy(),
    )


def _statistics(
    step: float, change_N: np.ndarray, own_N: np.ndarray, total_N: np.ndarray, on_N: np.ndarray, off_N: np.ndarray
) -> np.ndarray:
    """Return STATISTICS and ERRORS of draws; changes and responses in units of the step."""
    count, square_N = len(own_N), own_N**2
    gain = float(np.sqrt(square_N.mean()))
    gain_se = mean_and_se(square_N - gain**2 * change_N**2)[1] / (2 * gain) if gain else 0.0
    obeyed = float((own_N * np.sign(change_N) > OBEYS * np.abs(change_N)).mean())
    moved = total_N.mean()
    selectivity = square_N.mean() / moved if moved else np.nan
    selectivity_se = mean_and_se(square_N - selectivity * total_N)[1] / moved if moved else np.nan
    (on, on_se), (off, off_se) = mean_and_se(on_N), mean_and_se(off_N)
    means = [count, step, gain, obeyed, selectivity, on, off]
    return np.array([*means, gain_se, binomial_se(obeyed, count), selectivity_se, on_se, off_se], dtype=np.float64)
