"""Conditioned response matrix: how far each latent's own response moves when one factor changes, and scores of it.

C_cj = mean over groups of sqrt(mean over pairs of d^2), factor c, latent j; d and groups as in
`lrx.responses.conditioned`.
Causal Disentanglement Score: CDS = sum_j max_c C_cj / sum_cj C_cj.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. F factors of more than one value, D latents, G groups, B
bootstrap replicates.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from lrx.core.types import Array, AssayResult, Autoencoder, Dataset, with_factors
from lrx.core.validation import check_batch_size, check_choice, check_not_negative, check_whole
from lrx.responses.conditioned import GroupResponses, gathered, group_pieces, num_responses
from lrx.responses.encoding import fitting_batch_size, num_latents
from lrx.responses.responsive import DEAD
from lrx.responses.work_units import ALL_UNITS, Share, Values

REDUCTIONS = ("mean_of_rms", "pooled")
ANSWERING = 0.5  # a latent answers to a factor above this, as it is informative above this response to itself
RESAMPLED = 2**22  # resampled groups held at once


def conditioned_response(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    num_groups: int,
    max_pairs: int,
    reduction: str,
    threshold: float,
    num_bootstrap: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
    share: Share = ALL_UNITS,
) -> AssayResult:
    """Estimate the conditioned response matrix (F, D), the CDS and what is needed to read it, with standard errors.

    num_groups: for each factor, drawn without replacement over the whole grid of the others; where the grid has no
    more, each is taken once, and the array `num_groups` says so.
    max_pairs: ordered pairs for each group and latent; all of them where there are no more.
    reduction: `mean_of_rms`, the authors' convention, or `pooled`, the root of the mean of d^2 over groups and pairs.
    threshold: a factor is covered when some C_cj is above it; 0.1 is the authors' least response that counts, on the
    same scale (a latent that one factor alone moves through a unit variance has sqrt 2).
    num_bootstrap: replicates over groups, from which standard errors come; see `bootstrap`.
    progress: called with the responses done so far, and all that there are.
    share: who evaluates which groups, see `lrx.responses.work_units`; a shard has no result.

    Factors of one value are left out; the setting `left_out` names them. Scores, see `scores_of`: cds, cds_corrected,
    completeness, num_answering, num_uncovered. A CDS of nothing (no response at all) is NaN; the setting `remark` says
    that no response is above the threshold, so that the scores compare next to nothing.
    A 95 % interval is the estimate ± t standard errors, t of G - 1 degrees of freedom (2.00 for 64 groups): normal and
    not percentile, whose ends the largest of near equals would push up twice.
    ValueError without factors that vary, for a setting out of range, or responses that are not finite.
    """
    _check(num_groups, max_pairs, reduction, threshold, num_bootstrap, batch_size)
    dataset = with_factors(dataset, "assay=conditioned_response")
    factors = dataset.factors
    varying = [factor for factor, size in enumerate(factors.sizes) if size > 1]
    if not varying:
        raise ValueError(f"assay=conditioned_response needs a factor of two values or more, {dataset.name} has none")
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    latents = num_latents(autoencoder, dataset)
    limits = {"num_groups": num_groups, "max_pairs": max_pairs}
    pieces = itertools.chain.from_iterable(
        group_pieces(autoencoder, dataset, factor, **limits, generator=generator, batch_size=batch_size)
        for factor in varying
    )
    total = sum(num_responses(factors, factor, latents, **limits) for factor in varying)
    report = progress or (lambda done, total: None)
    found: dict[int, list[Values]] = {factor: [] for factor in varying}
    for (factor, _), values in share.values(pieces, total=total, progress=lambda done: report(done, total)):
        found[factor].append(values)
    groups = [gathered(factors, factor, values, max_pairs=max_pairs) for factor, values in found.items()]
    matrix_FD, replicates_BFD = bootstrap(groups, reduction=reduction, count=num_bootstrap, generator=generator)
    axes = ("factor", "latent")
    counted = {
        "num_groups": ([len(one.mean_square_GD) for one in groups], "groups that were measured"),
        "num_groups_of_grid": ([one.num_groups for one in groups], "groups that the grid has"),
        "num_pairs": ([one.num_pairs for one in groups], "ordered pairs for each group and latent"),
    }
    return AssayResult(
        arrays={
            "matrix": Array(matrix_FD.numpy(), axes, "latent", f"conditioned response matrix, {reduction}"),
            "matrix_se": Array(replicates_BFD.std(0).numpy(), axes, "latent", "its standard error, by bootstrap"),
            **{name: Array(np.array(counts), axes[:1], "1", said) for name, (counts, said) in counted.items()},
        },
        coordinates={
            "factor": np.array([factors.names[factor] for factor in varying]),
            "latent": np.arange(latents),
        },
        scores=_with_errors(scores_of(matrix_FD, threshold), scores_of(replicates_BFD, threshold)),
        settings={
            "num_groups": num_groups,
            "max_pairs": max_pairs,
            "reduction": reduction,
            "threshold": threshold,
            "num_bootstrap": num_bootstrap,
            "batch_size": batch_size,
            "left_out": ", ".join(name for name, size in zip(factors.names, factors.sizes, strict=True) if size == 1),
            "num_responses": sum(one.num_responses for one in groups),
            "remark": _remark(float(matrix_FD.max()), threshold),
        },
    )


def scores_of(matrix_xFD: Tensor, threshold: float) -> dict[str, Tensor]:
    """Scores (...) of conditioned response matrices (..., F, D).

    cds: sum_j max_c C_cj / sum_cj C_cj, how far each latent answers to one factor; NaN where the matrix is zero. A
        model with one active latent that answers to one factor has 1, hence the scores beside it.
    cds_corrected: (cds - 1 / F) / (1 - 1 / F), 0 where every latent answers to all factors alike; NaN for one factor.
    completeness: mean over factors of max_j C_cj / sum_j C_cj, how far each factor is in one latent. A factor that
        nothing answers to counts 0.
    num_answering: latents that answer to some factor with more than `ANSWERING`.
    num_uncovered: factors to which no latent answers with more than the threshold.
    """
    factors = matrix_xFD.shape[-2]
    cds = matrix_xFD.amax(-2).sum(-1) / matrix_xFD.sum((-2, -1))
    largest, total = matrix_xFD.amax(-1), matrix_xFD.sum(-1)
    return {
        "cds": cds,
        "cds_corrected": (cds - 1 / factors) / (1 - 1 / factors) if factors > 1 else torch.full_like(cds, math.nan),
        "completeness": torch.where(total > 0, largest / total, 0.0).mean(-1),
        "num_answering": (matrix_xFD > ANSWERING).any(-2).sum(-1).double(),
        "num_uncovered": (largest <= threshold).sum(-1).double(),
    }


def bootstrap(
    groups: Sequence[GroupResponses], *, reduction: str, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The matrix (F, D) of the groups of F factors, and replicates of it (B, F, D) whose deviation is its error.

    A replicate takes G - 1 groups of G with replacement: the variance of their mean is then s^2 / G without bias. Its
    deviation is scaled by sqrt(1 - f), where f is the share of the grid's groups that was measured, and noise of
    variance f v / G stands for the pairs that were not drawn, v the mean variance within a group (Cochran 1977,
    section 10.3). So the error is 0 where all groups and all pairs were measured: the matrix of this grid is exact.
    """
    pooled = reduction == "pooled"
    matrix, replicates = [], []
    for one in groups:
        values_GD, variance_GD = (one.mean_square_GD, one.variance_GD) if pooled else one.rms()
        number, share = len(values_GD), len(values_GD) / one.num_groups
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
    """Replicates in parts of a bounded number of resampled groups."""
    most = max(1, RESAMPLED // number)
    return [min(most, count - start) for start in range(0, count, most)]


def _remark(largest: float, threshold: float) -> str | None:
    """What a reader must know of a matrix whose largest response is this."""
    if largest > threshold:
        return None
    told = f"no latent answers to any factor with more than {threshold:g} (the largest is {largest:.2g}), as of {DEAD}"
    return f"{told}; CDS and completeness compare next to nothing"


def _with_errors(scores: dict[str, Tensor], replicates: dict[str, Tensor]) -> dict[str, float]:
    """Each score beside its standard error, over the replicates that have the score; NaN where the score is."""
    both = {}
    for name, score in scores.items():
        known = replicates[name][~replicates[name].isnan()]
        both[name] = score.item()
        both[f"{name}_se"] = math.nan if score.isnan() or len(known) < 2 else known.std().item()
    return both


def _check(
    num_groups: int, max_pairs: int, reduction: str, threshold: float, num_bootstrap: int, batch_size: int | None
) -> None:
    check_choice("reduction", reduction, REDUCTIONS)
    for key, value in (("num_groups", num_groups), ("max_pairs", max_pairs), ("num_bootstrap", num_bootstrap)):
        check_whole(key, value, 2)
    check_not_negative("threshold", threshold)
    check_batch_size(batch_size)
