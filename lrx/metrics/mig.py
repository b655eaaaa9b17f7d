"""Mutual information gap: information about a factor in the best latent beyond that in the second best.

MIG = mean over factors of (I_1 - I_2) / H, with I_1 >= I_2 the two largest mutual informations of a latent and the
factor, and H the entropy of the factor. Source: Chen et al. 2018 (arXiv 1802.04942), section 4; 20 bins and 10,000
points in Locatello et al.
2019 (arXiv 1811.12359), appendix B. Of a continuous factor, the information is that of as many quantile bins of the
latent and of the factor, whose entropy is the logarithm of their number; or that by 3 nearest neighbours, without bins,
over the information of the factor about itself by the same estimator, which stands for the entropy and grows with the
logarithm of the number of points. N points, D latents, F factors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.core.statistics import mean_and_se
from lrx.core.types import Array
from lrx.metrics.information import discretize, information_array, pointwise, quantile_bins, surprise
from lrx.metrics.neighbours import jittered, pointwise_with_values
from lrx.metrics.points import as_codes_and_kinds, numpy_random
from lrx.metrics.record import UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor


INFORMATION = ("quantiles", "neighbours")
NEIGHBOURS = 3  # as recommended by Kraskov et al. 2004, and the default of scikit-learn


class MIG(NamedTuple):
    """Score, standard error, gap of each factor (F,), and mutual information (D, F) in nats."""

    mig: float
    mig_se: float
    gap_F: np.ndarray
    mutual_information_DF: np.ndarray


def mig(
    codes: np.ndarray | Tensor,
    factors: np.ndarray | Tensor,
    *,
    bins: int,
    continuous: np.ndarray | None = None,
    information: str = "quantiles",
    generator: torch.Generator | None = None,
) -> MIG:
    """Return the gap of codes (N, D) and factors (N, F); a single latent is compared with an uninformative one.

    continuous: bool (F,), which factors are values and not classes; None for none. information: of continuous factors,
    by `quantiles` or `neighbours`, whose ties are separated by noise from the generator, needed there.
    The standard error is over points (delta method on the counts); near 0, where chance selects the two best latents,
    it is up to 1.5 times too large. ValueError for another information, or as
    `lrx.metrics.points.as_codes_and_kinds`.
    """
    if information not in INFORMATION:
        raise ValueError(f"information must be one of {', '.join(INFORMATION)}, not {information!r}")
    codes_ND, factors_NF, continuous_F = as_codes_and_kinds(codes, factors, continuous)
    latents = codes_ND.shape[1]
    if latents == 1:
        codes_ND = np.concatenate([codes_ND, np.zeros_like(codes_ND)], axis=1)
    random = numpy_random(generator) if generator is not None else np.random.default_rng(0)
    columns, gaps, influence_N = [], [], np.zeros(len(codes_ND))
    for factor_N, is_continuous in zip(factors_NF.T, continuous_F, strict=True):
        if not is_continuous:
            values_N = np.unique(factor_N, return_inverse=True)[1]
            pointwise_ND, surprise_N = pointwise(discretize(codes_ND, bins), values_N), surprise(values_N)
        elif information == "quantiles":
            values_N = quantile_bins(factor_N[:, None], bins)[:, 0]
            pointwise_ND, surprise_N = pointwise(quantile_bins(codes_ND, bins), values_N), surprise(values_N)
        else:
            pointwise_ND, surprise_N = _by_neighbours(codes_ND, factor_N, random)
        information_D, entropy = pointwise_ND.mean(axis=0), surprise_N.mean()
        first, second = np.argsort(-information_D, kind="stable")[:2]
        gap = (information_D[first] - information_D[second]) / entropy
        influence_N += (pointwise_ND[:, first] - pointwise_ND[:, second] - gap * surprise_N) / entropy
        columns.append(information_D[:latents])
        gaps.append(gap)
    gap_F = np.array(gaps)
    return MIG(
        mig=float(gap_F.mean()),
        mig_se=float(mean_and_se(influence_N / len(gap_F))[1]),
        gap_F=gap_F,
        mutual_information_DF=np.stack(columns, axis=1),
    )


def _by_neighbours(
    codes_ND: np.ndarray, factor_N: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return values at each point whose means are the information of each latent (N, D), and of the factor (N,)."""
    columns = jittered(np.column_stack([codes_ND, factor_N, factor_N]), random)  # the factor, as a latent like others
    terms = pointwise_with_values(columns[:, :-1], columns[:, -1], neighbours=NEIGHBOURS)
    return terms[:, :-1], terms[:, -1]


def _measure(points: Points, generator: torch.Generator) -> Measured:
    first = points.sizes.num_train
    result = mig(
        points.codes_ND[:first],
        points.factors_NF[:first],
        bins=points.sizes.bins,
        continuous=points.continuous_F,
        information=points.information,
        generator=generator,
    )
    arrays = {
        "mutual_information": information_array(result.mutual_information_DF),
        "mig_gap": Array(result.gap_F, ("factor",), "1", "gap of information of the two best latents, over entropy"),
    }
    return Measured({"mig": result.mig, "mig_se": result.mig_se}, arrays)


METRIC = Metric(
    name="mig",
    scores={
        "mig": Score(
            meaning="Mutual information about a factor in the best latent beyond that in the second; 1 is best.",
            label="MIG",
            range=UNIT_RANGE,
        )
    },
    measure=_measure,
    factors="any",
    maps={"mutual_information": "Mutual information"},
    position=1,
)
