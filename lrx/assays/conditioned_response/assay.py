"""Conditioned response matrix: response of each latent to a change of one factor, and scores of the matrix.

C_cj = mean over groups of sqrt(mean over pairs of d^2), factor c, latent j; d and groups as in
`lrx.responses.conditioned`.
Causal Disentanglement Score: CDS = sum_j max_c C_cj / sum_cj C_cj.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. F factors of more than one value, D latents, G groups, B
bootstrap replicates.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.types import Array, AssayResult
from lrx.responses.adaptive_groups import PILOT, Factors, GroupTarget
from lrx.responses.conditioned import GroupResponses, combine, factors_of, group_units, num_responses, varying_factors
from lrx.responses.enumeration import unit_of
from lrx.responses.informative import CAUSES
from lrx.responses.measurement import Measurement
from lrx.responses.units import MEANING
from lrx.responses.work_units import Values

RESPONSIVE = 0.5  # a latent is responsive to a factor above this, as it is informative above this response to itself
COMPARING = ("cds", "cds_corrected")  # scores that compare factors, and say nothing of one
MAX_GROUPS = 1024  # of a factor with a target
RESAMPLED = 2**22  # resampled groups in memory at once


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the conditioned response matrix."""

    units: str | list[list[int]] | None = setting(None, MEANING)
    num_groups: int = setting(
        64, f"groups of each factor, at most all; with a target those of the pilot, {PILOT} at most", at_least=2
    )
    target_se: float | None = setting(
        None, "each factor gets the groups it needs until no standard error is above this", positive=True
    )
    target_relative_se: float | None = setting(None, "the same, as a share of the largest response", positive=True)
    max_groups: int | None = setting(
        None, f"upper limit of groups of a factor with a target; null: {MAX_GROUPS}", at_least=2
    )
    max_pairs: int = setting(12, "ordered pairs for each group and latent: all of a 4-valued factor", at_least=2)
    reduction: str = setting(
        "mean_of_rms",
        "mean_of_rms: the authors' convention | pooled: root of the mean over groups and pairs",
        choices=("mean_of_rms", "pooled"),
    )
    threshold: float = setting(
        0.1, "a factor is covered by a response above this: the authors' least response that counts", at_least=0
    )
    num_bootstrap: int = setting(1000, "bootstrap replicates, from which standard errors come", at_least=2)
    batch_size: int | None = setting(None, "responses per forward pass; null: what fits the memory", at_least=1)

    @property
    def has_target(self) -> bool:
        """Return whether errors, and not num_groups, say how many groups each factor gets."""
        return self.target_se is not None or self.target_relative_se is not None

    @property
    def num_pilot(self) -> int:
        """Number of groups of the pilot."""
        return min(self.num_groups, PILOT)


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Estimate the conditioned response matrix (F, D), the CDS and related scores, with standard errors.

    Factors of one value are left out; the setting `left_out` names them. Scores, see `scores_of`: cds, cds_corrected,
    completeness, num_responsive, num_uncovered; of a single factor without cds and cds_corrected, which the setting
    `remark` says. Without any response the CDS is NaN; `remark` says that no response is above the threshold, so that
    the scores compare noise.
    The array `num_groups` has the groups that were measured: all of the grid where it has fewer than the setting.
    A 95 % interval is the estimate ± t standard errors, t of G - 1 degrees of freedom (2.00 for 64 groups): normal and
    not percentile, whose ends the maximum of nearly equal entries would bias twice.
    ValueError without factors that vary, or for responses that are not finite.
    """
    factors, varying = varying_factors(m.dataset, "assay=conditioned_response")
    m = m.with_units(settings.units)
    target = GroupTarget(settings.target_se, settings.target_relative_se, settings.reduction)
    groups, pilot_responses = _groups(m, varying, target, settings)
    matrix_FD, replicates_BFD = bootstrap(
        groups, reduction=settings.reduction, count=settings.num_bootstrap, generator=m.generator
    )
    se_FD = replicates_BFD.std(0)
    threshold, axes, unit = settings.threshold, ("factor", "latent"), unit_of(m)
    return AssayResult(
        arrays={
            "matrix": Array(matrix_FD.numpy(), axes, "latent", f"conditioned response matrix, {settings.reduction}"),
            "matrix_se": Array(se_FD.numpy(), axes, "latent", "its standard error, by bootstrap"),
            **_counts(groups),
            **_units(unit),
        },
        coordinates={
            "factor": np.array([factors.names[factor] for factor in varying]),
            "latent": m.units.labels,
        },
        scores=_with_errors(
            _told(scores_of(matrix_FD, threshold, unit), len(varying)), scores_of(replicates_BFD, threshold, unit)
        ),
        settings=stored(
            settings,
            units=m.units.kind,
            batch_size=m.batch_size,
            left_out=", ".join(name for name, size in zip(factors.names, factors.sizes, strict=True) if size == 1),
            num_responses=pilot_responses + sum(factor.num_responses for factor in groups),
            num_pilot=settings.num_pilot if settings.has_target else 0,
            target_reached=float(se_FD.max()) <= target.limit(float(matrix_FD.max())) if settings.has_target else None,
            remark=_remark(matrix_FD / unit, threshold),
        ),
    )


def _groups(
    m: Measurement, varying: Sequence[int], target: GroupTarget, settings: Settings
) -> tuple[list[GroupResponses], int]:
    """Measure groups of each factor, and return them and the number of responses of a pilot that is no part of them."""
    if settings.has_target:
        sampled = Factors(m, varying, max_pairs=settings.max_pairs, max_groups=settings.max_groups or MAX_GROUPS)
        measured = sampled.sample(settings.num_pilot, target, m.share)
        return list(measured.values()), sampled.pilot_responses
    factors, limits = factors_of(m), {"num_groups": settings.num_groups, "max_pairs": settings.max_pairs}
    work = itertools.chain.from_iterable(group_units(m, factor, **limits) for factor in varying)
    total = sum(num_responses(factors, factor, len(m.units), **limits) for factor in varying)
    by_factor: dict[int, list[Values]] = {factor: [] for factor in varying}
    for (factor, _), values in m.share.values(work, total=total, progress=lambda done: m.progress(done, total)):
        by_factor[factor].append(values)
    parts = by_factor.items()
    return [combine(factors, factor, values, max_pairs=settings.max_pairs) for factor, values in parts], 0


def scores_of(matrix_xFD: Tensor, threshold: float, unit: Tensor | float = 1.0) -> dict[str, Tensor]:
    """Return the scores (...) of conditioned response matrices (..., F, D).

    cds: sum_j max_c C_cj / sum_cj C_cj, the share of each latent's response that is to one factor; NaN where the matrix
        is zero. A model with a single responsive latent can have 1, hence the other scores.
    cds_corrected: (cds - 1 / F) / (1 - 1 / F), 0 where every latent responds to all factors alike; NaN for one factor.
    completeness: mean over factors of max_j C_cj / sum_j C_cj, the share of a factor's responses in one latent; 0 for a
        factor without any response.
    num_responsive: latents j with max_c C_cj above `RESPONSIVE`, in their unit (`lrx.responses.enumeration.unit_of`).
    num_uncovered: factors c with max_j C_cj at most the threshold, likewise.
    """
    factors = matrix_xFD.shape[-2]
    cds = matrix_xFD.amax(-2).sum(-1) / matrix_xFD.sum((-2, -1))
    largest, total = matrix_xFD.amax(-1), matrix_xFD.sum(-1)
    return {
        "cds": cds,
        "cds_corrected": (cds - 1 / factors) / (1 - 1 / factors) if factors > 1 else torch.full_like(cds, math.nan),
        "completeness": torch.where(total > 0, largest / total, 0.0).mean(-1),
        "num_responsive": (matrix_xFD / unit > RESPONSIVE).any(-2).sum(-1).double(),
        "num_uncovered": ((matrix_xFD / unit).amax(-1) <= threshold).sum(-1).double(),
    }


def bootstrap(
    groups: Sequence[GroupResponses], *, reduction: str, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return the matrix (F, D) of the groups of F factors, and replicates (B, F, D) whose deviation is its error.

    A replicate takes G - 1 groups of G with replacement: the variance of their mean is then s^2 / G without bias. Its
    deviation is scaled by sqrt(1 - f), where f is the share of the grid's groups that was measured, and noise of
    variance f v / G represents the pairs that were not drawn, v the mean variance within a group (Cochran 1977,
    section 10.3). So the error is 0 where all groups and all pairs were measured: the matrix of this grid is exact.
    """
    pooled = reduction == "pooled"
    matrix, replicates = [], []
    for factor in groups:
        values_GD, variance_GD = (factor.mean_square_GD, factor.variance_GD) if pooled else factor.rms()
        number, share = len(values_GD), len(values_GD) / factor.num_groups
        mean_D = values_GD.mean(0)
        noise_BD = torch.randn(count, len(mean_D), generator=generator, dtype=torch.float64)
        deviation_BD = noise_BD * (share * variance_GD.mean(0) / number).sqrt()
        if share < 1:
            means = [_resampled(values_GD, part, generator) for part in _parts(count, number)]
            deviation_BD += math.sqrt(1 - share) * (torch.cat(means) - mean_D)
        replicates_BD = (mean_D + deviation_BD).clamp(min=0)
        matrix.append(mean_D.sqrt() if pooled else mean_D)
        replicates.append(replicates_BD.sqrt() if pooled else replicates_BD)
    return torch.stack(matrix), torch.stack(replicates, dim=1)


def _resampled(values_GD: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Means (B, D) of G - 1 rows drawn with replacement."""
    number = len(values_GD)
    drawn = torch.randint(number, (count, number - 1), generator=generator)
    weights_BG = torch.zeros(count, number, dtype=torch.float64)
    weights_BG.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
    return weights_BG @ values_GD / (number - 1)


def _parts(count: int, number: int) -> list[int]:
    """Divide replicates into parts of a bounded number of resampled groups."""
    most = max(1, RESAMPLED // number)
    return [min(most, count - start) for start in range(0, count, most)]


def _counts(groups: Sequence[GroupResponses]) -> dict[str, Array]:
    """Arrays (F,): how many groups and pairs were measured for each factor."""
    counts = {
        "num_groups": ([len(factor.mean_square_GD) for factor in groups], "groups that were measured"),
        "num_groups_of_grid": ([factor.num_groups for factor in groups], "groups that the grid has"),
        "num_pairs": ([factor.num_pairs for factor in groups], "ordered pairs for each group and latent"),
    }
    return {name: Array(np.array(values), ("factor",), "1", meaning) for name, (values, meaning) in counts.items()}


def _units(unit: Tensor | float) -> dict[str, Array]:
    """Return the units (U,) in which thresholds count, of quantised latents; nothing for others, whose unit is 1."""
    if not isinstance(unit, Tensor):
        return {}
    return {"unit": Array(unit.numpy(), ("latent",), "latent", "standard deviation of the values, of thresholds")}


def _told(scores: dict[str, Tensor], num_factors: int) -> dict[str, Tensor]:
    """Return the scores that say something of so many factors."""
    return {name: score for name, score in scores.items() if num_factors > 1 or name not in COMPARING}


def _remark(matrix_FD: Tensor, threshold: float) -> str | None:
    """Remark on a matrix of one factor, or whose largest entry is not above the threshold; None for all others."""
    parts, largest = [], float(matrix_FD.max())
    if len(matrix_FD) == 1:
        parts.append(f"left out {', '.join(COMPARING)}: each compares factors, and one varies")
    if largest <= threshold:
        parts.append(
            f"no latent answers to any factor with more than {threshold:g} (the largest is {largest:.2g}), as of "
            f"{CAUSES}; CDS and completeness compare next to nothing"
        )
    return "; ".join(parts) or None


def _with_errors(scores: dict[str, Tensor], replicates: dict[str, Tensor]) -> dict[str, float]:
    """Scores with their standard errors, over the replicates that have the score; NaN where the score is."""
    pairs = {}
    for name, score in scores.items():
        defined = replicates[name][~replicates[name].isnan()]
        pairs[name] = score.item()
        pairs[f"{name}_se"] = math.nan if score.isnan() or len(defined) < 2 else defined.std().item()
    return pairs
