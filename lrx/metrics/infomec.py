"""InfoM, InfoC, InfoE: modularity, compactness and explicitness of a code, from information about its sources.

R_jk is the mutual information of latent j and factor k, by 10 nearest neighbours, over the entropy of the factor (of a
continuous factor: over its information about itself by the same estimator). InfoM = mean over latents of
(s_j - 1/F) / (1 - 1/F), s_j = max_k R_jk / sum_k R_jk; InfoC the same over factors, among the latents that are active:
by `range`, those whose range is above 1/20 of the largest (the paper), by `iqr`, whose interquartile range is above
1/10 of the largest (the authors' later code). InfoE = mean over factors of 1 - L / L_0, where L is the log loss of a
multinomial logistic regression on all latents and L_0 that of the frequencies of the classes; of a continuous factor,
R² of a linear regression. Source: Hsu et al. 2023 (arXiv 2305.18378), section 4; the later code, Hsu et al. 2024 (arXiv
2404.10282).

Information is clipped at 0, so that in noise one factor often has all of it and InfoM is large: each score has its
floor beside it, the mean over permutations of the factors against the codes. Where the published code differs: it
tests InfoE on the points that it was learned from, weighs classes equally, and is NaN for a latent without
information, which is left out here. N points, D latents, F factors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.statistics import mean_and_se
from lrx.core.types import Array
from lrx.metrics.information import surprise
from lrx.metrics.linear_loss import linear_loss
from lrx.metrics.neighbours import jittered, pointwise_with_classes, pointwise_with_values
from lrx.metrics.points import as_codes_and_kinds, numpy_random
from lrx.metrics.record import LATENT_FACTOR, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PRUNING = ("range", "iqr", "none")
NEIGHBOURS, SHUFFLES = 10, 5


class InfoMEC(NamedTuple):
    """Scores, standard errors, floors, active latents (D,), information over entropy (D, F), InfoE by factor (F,), and
    whether every probe converged.

    Standard errors are over points: of InfoM and InfoC by the delta method, of InfoE over test points with the probes
    held fixed. InfoM is NaN for a single factor, and InfoC for a single active latent, of which they say nothing.
    """

    infom: float
    infom_se: float
    infoc: float
    infoc_se: float
    infoe: float
    infoe_se: float
    infom_floor: float
    infoc_floor: float
    infoe_floor: float
    active_D: np.ndarray
    information_DF: np.ndarray
    explained_F: np.ndarray
    converged: bool


def infomec(
    codes: np.ndarray | Tensor,
    factors: np.ndarray | Tensor,
    *,
    continuous: np.ndarray | None = None,
    num_train: int,
    num_points: int | None = None,
    pruning: str = "range",
    generator: torch.Generator,
) -> InfoMEC:
    """Return the scores of codes (N, D) and factors (N, F); probes learn from the first `num_train` points.

    continuous: bool (F,), which factors are values and not classes; None for none. num_points: of the first, from which
    InfoM and InfoC are measured; None for all. pruning: `range`, `iqr`, or `none`, which prunes constant latents alone.
    ValueError for another pruning, or as `lrx.metrics.points.as_codes_and_kinds` and `split_at`.
    """
    if pruning not in PRUNING:
        raise ValueError(f"pruning must be one of {', '.join(PRUNING)}, not {pruning!r}")
    codes_ND, factors_NF, continuous_F = as_codes_and_kinds(codes, factors, continuous)
    random, first = numpy_random(generator), slice(num_points)
    active_D = _active(codes_ND[first], pruning)
    information = _Information(codes_ND[first], factors_NF[first], continuous_F, random)
    modular, by_latent = _concentration(information.matrix_DF[active_D], count_empty=False)
    compact, by_factor = _concentration(information.matrix_DF[active_D].T, count_empty=True)
    loss = linear_loss(codes_ND, factors_NF, continuous_F, num_train)
    floors: list[tuple[float, float, float]] = []
    for _ in range(SHUFFLES):
        parts = np.split(factors_NF, [num_train])  # each shuffled alone, so that rare classes stay among those learned
        shuffled_NF = np.concatenate([random.permutation(part_NF) for part_NF in parts])
        chance_DF = _Information(codes_ND[first], shuffled_NF[first], continuous_F, random).matrix_DF[active_D]
        explained = linear_loss(codes_ND, shuffled_NF, continuous_F, num_train).explained
        chance = _concentration(chance_DF, count_empty=False)[0], _concentration(chance_DF.T, count_empty=True)[0]
        floors.append((*chance, explained))
    return InfoMEC(
        modular,
        information.standard_error(by_latent, active_D),
        compact,
        information.standard_error(by_factor.T, active_D),
        loss.explained,
        loss.explained_se,
        float(np.mean([floor[0] for floor in floors])),
        float(np.mean([floor[1] for floor in floors])),
        float(np.mean([floor[2] for floor in floors])),
        active_D,
        information.matrix_DF,
        loss.explained_F,
        loss.converged,
    )


class _Information:
    """Information of latents and factors over that of the factors, clipped at 0, and its standard errors."""

    def __init__(
        self, codes_ND: np.ndarray, factors_NF: np.ndarray, continuous_F: np.ndarray, random: np.random.Generator
    ) -> None:
        self.codes_ND, self.continuous_F = jittered(codes_ND, random), continuous_F
        self.factors = [
            jittered(np.stack([column_N] * 2, axis=1), random) if continuous else _numbered(column_N)
            for column_N, continuous in zip(factors_NF.T, continuous_F, strict=True)
        ]
        terms = map(self._terms, range(len(self.factors)))
        ratios = [np.maximum(0, shared_ND.mean(axis=0)) / own_N.mean() for shared_ND, own_N in terms]
        self.matrix_DF = np.stack(ratios, axis=1)

    def _terms(self, factor: int) -> tuple[np.ndarray, np.ndarray]:
        """Return values at each point whose means are the information of each latent (N, D), and of the factor (N,)."""
        factor_N = self.factors[factor]
        if not self.continuous_F[factor]:
            return pointwise_with_classes(self.codes_ND, factor_N, neighbours=NEIGHBOURS), surprise(factor_N)
        columns = np.column_stack([self.codes_ND, factor_N[:, 0]])
        terms = pointwise_with_values(columns, factor_N[:, 1], neighbours=NEIGHBOURS)
        return terms[:, :-1], terms[:, -1]

    def standard_error(self, gradient_AF: np.ndarray, active_D: np.ndarray) -> float:
        """Return the standard error, over points, of a score with this gradient by the matrix of active latents.

        Information clipped at 0 counts as if it were not: left out, errors of codes with little information would be a
        quarter too small. Near noise, where the score is no smooth function, the bound 1/2 of numbers in [0, 1] holds.
        NaN where the gradient is.
        """
        if np.isnan(gradient_AF).any():
            return math.nan
        influence_N = np.zeros(len(self.codes_ND))
        for factor, gradient_A in enumerate(gradient_AF.T):
            shared_ND, own_N = self._terms(factor)
            ratio_A = self.matrix_DF[active_D, factor]
            influence_N += (shared_ND[:, active_D] @ gradient_A - (ratio_A @ gradient_A) * own_N) / own_N.mean()
        return min(0.5, float(mean_and_se(influence_N)[1]))


def _numbered(labels_N: np.ndarray) -> np.ndarray:
    return np.asarray(np.unique(labels_N, return_inverse=True)[1])


def _active(codes_ND: np.ndarray, pruning: str) -> np.ndarray:
    """Return which latents count (D,); never one that is constant."""
    spread_D = np.ptp(codes_ND, axis=0)
    varying_D = spread_D > 0
    if pruning == "range":
        return np.asarray(varying_D & (spread_D > spread_D.max() / 20))
    if pruning == "iqr":
        spread_D = np.subtract(*np.quantile(codes_ND, [0.75, 0.25], axis=0))
        return np.asarray(varying_D & (spread_D > spread_D.max() / 10))
    return np.asarray(varying_D)


def _concentration(matrix_RK: np.ndarray, *, count_empty: bool) -> tuple[float, np.ndarray]:
    """Return the mean over rows of the largest share of a row, rescaled from 1/K to 0, and its gradient (R, K).

    count_empty: whether a row without information counts, as 0; else it is left out. Without rows that count the score
    is 0; with a single column it is NaN, and so is its gradient.
    """
    rows, columns = matrix_RK.shape
    gradient_RK = np.zeros(matrix_RK.shape)
    if columns == 1:
        return math.nan, gradient_RK * math.nan
    total_R = matrix_RK.sum(axis=1)
    full = np.flatnonzero(total_R > 0)
    if not len(full):
        return 0.0, gradient_RK
    best_R, scale = matrix_RK[full].argmax(axis=1), (1 - 1 / columns) * (rows if count_empty else len(full))
    top_R = matrix_RK[full, best_R]
    gradient_RK[full] = -(top_R / np.square(total_R[full]))[:, None]
    gradient_RK[full, best_R] += 1 / total_R[full]
    score = float((top_R / total_R[full] - 1 / columns).sum() / scale)
    return score, gradient_RK / scale


def _measure(points: Points, generator: torch.Generator) -> Measured:
    result = infomec(
        points.codes_ND,
        points.factors_NF,
        continuous=points.continuous_F,
        num_train=points.num_train,
        num_points=points.sizes.num_train,
        pruning=points.pruning,
        generator=generator,
    )
    names = [f"{name}{part}" for name in ("infom", "infoc", "infoe") for part in ("", "_se", "_floor")]
    scores = {name: float(getattr(result, name)) for name in names if math.isfinite(getattr(result, name))}
    kept = "active latents" if points.pruning == "none" else f"active latents by {points.pruning}"
    ratio = "information of the latent about the factor, by nearest neighbours, over that of the factor about itself"
    arrays = {
        "normalised_information": Array(result.information_DF, LATENT_FACTOR, "1", ratio),
        "infomec_active": Array(result.active_D.astype(np.uint8), ("latent",), "1", f"1 for {kept}"),
        "infoe_factor": Array(result.explained_F, ("factor",), "1", "InfoE of the factor"),
    }
    return Measured({**scores, "infomec_latents_kept": float(result.active_D.sum())}, arrays, result.converged)


def _score(name: str, meaning: str) -> dict[str, Score]:
    floor = Score(
        meaning=f"{name} of the same codes with permuted factors: what chance alone gives.",
        label=f"{name} of permuted factors",
        has_se=False,
        compares_factors=name == "InfoM",
    )
    low = None if name == "InfoE" else 0.0
    score = Score(
        meaning=meaning, label=name, range=(low, 1.0), chance=f"{name.lower()}_floor", compares_factors=name == "InfoM"
    )
    return {name.lower(): score, f"{name.lower()}_floor": floor}


METRIC = Metric(
    name="infomec",
    scores={
        **_score("InfoM", "Share of a latent's information that is about a single factor; 1 is best."),
        **_score("InfoC", "Share of the information about a factor that is in a single latent; 1 is best."),
        **_score("InfoE", "Share of the entropy of factors that a linear probe on all latents explains; 1 is best."),
        "infomec_latents_kept": Score(
            meaning="Latents that InfoM and InfoC count as active.",
            label="latents counted by InfoM",
            has_se=False,
        ),
    },
    measure=_measure,
    maps={"normalised_information": "Information (neighbours)"},
    factors="any",
)
