"""Record of a metric: its scores and what they mean, and the function that measures it.

It stands as `METRIC` at the end of the metric's own file, where `lrx.metrics.catalog` finds it. Report, picture,
documentation and `assay=metrics` read it from there; there is no other list of metrics. So that results can be read
without them, the files of metrics import torch, scipy and scikit-learn only in the functions that need them.
N images, D latents, F factors or labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from lrx.core.types import Array

if TYPE_CHECKING:  # takes more than a second to import
    import torch

LATENT_FACTOR = ("latent", "factor")
UNIT_RANGE = (0.0, 1.0)


@dataclass(frozen=True)
class Sizes:
    """Numbers of images and votes asked for, and constants of the metrics."""

    num_train: int
    num_test: int
    train_votes: int
    eval_votes: int
    points_per_vote: int = 64
    bins: int = 20
    dead_below: float = 0.05
    sap_penalty: float = 0.01
    irs_quantile: float = 0.99


PRESETS = {  # study: Locatello et al. 2019 (arXiv 1811.12359); fast: a fifth of it
    "study": Sizes(num_train=10_000, num_test=5_000, train_votes=10_000, eval_votes=5_000),
    "fast": Sizes(num_train=2_000, num_test=1_000, train_votes=2_000, eval_votes=1_000),
}


@dataclass(frozen=True)
class Points:
    """Input of a metric: codes and factors of N distinct images in random order, and the split of them.

    classes_NF: the factors that the metric takes (`Metric.factors`), int64; of a continuous one, the number of its
        quantile bin, of `sizes.bins`. factors_NF: the same in float64. continuous_F: which of them are continuous.
    num_train: what is learned is learned from so many images, the first, and tested on the others: no image is on both
        sides, also where there are fewer than `sizes` asks for. Metrics that learn nothing take the first
        `sizes.num_train`, or all.
    trees, num_threads: kind of trees (`lrx.metrics.dci.TREES`), and threads to grow them with.
    information, pruning: of `lrx.metrics.mig` and `lrx.metrics.infomec`.
    """

    codes_ND: np.ndarray
    classes_NF: np.ndarray
    factors_NF: np.ndarray
    continuous_F: np.ndarray
    num_train: int
    sizes: Sizes
    trees: str
    num_threads: int
    information: str
    pruning: str

    def of(self, columns: np.ndarray) -> Points:
        """Return the same points with some of the factors."""
        return replace(
            self,
            classes_NF=self.classes_NF[:, columns],
            factors_NF=self.factors_NF[:, columns],
            continuous_F=self.continuous_F[columns],
        )


@dataclass(frozen=True)
class Measured:
    """Output of a metric: scores, the standard error of `x` as `x_se`, and arrays with the axes latent and factor.

    converged: whether every fit did; where one did not, the result says so.
    """

    scores: Mapping[str, float]
    arrays: Mapping[str, Array] = field(default_factory=dict)
    converged: bool = True


@dataclass(frozen=True, kw_only=True)
class Score:
    """Score of a metric.

    meaning: a sentence for reports. label: its name in pictures.
    range: the least and the largest value, either None where there is no such bound; None for unbounded scores.
    chance: value for codes without information, where it is not 0; `1/F` for one over the number of factors that are
        classes; or the name of the score that measures it.
    has_se: whether the metric estimates its standard error.
    compares_factors: whether it says nothing of a single factor.
    """

    meaning: str
    label: str
    range: tuple[float | None, float | None] | None = None
    chance: float | str | None = None
    has_se: bool = True
    compares_factors: bool = False


@dataclass(frozen=True, kw_only=True)
class Metric:
    """Metric as `assay=metrics` runs it.

    name: as `assay.only=[name]` takes it. scores: by name, in the order of reports.
    measure: points and a generator of the metric's own to scores and arrays.
    maps: titles of the arrays (latent, factor) that the picture may show, by name.
    votes: whether it compares images that share a class, which data with rare classes cannot serve.
    factors: those that it takes: `classes`; `binary`, classes of two values; or `any`, classes and continuous ones.
    position: place in reports, and of its seed among those drawn: the metrics of the study have 1 to 9. None for all
        others, which come after these by name, and whose seeds are made from their names.
    """

    name: str
    scores: Mapping[str, Score]
    measure: Callable[[Points, torch.Generator], Measured]
    maps: Mapping[str, str] = field(default_factory=dict)
    votes: bool = False
    factors: Literal["classes", "binary", "any"] = "classes"
    position: int | None = None

    def takes(self, points: Points) -> np.ndarray:
        """Return which factors of these points the metric takes, bool (F,)."""
        if self.factors == "any":
            return np.ones(len(points.continuous_F), dtype=bool)
        sizes_F = np.array([len(np.unique(column_N)) for column_N in points.classes_NF.T])
        return np.asarray(~points.continuous_F & ((sizes_F == 2) | (self.factors == "classes")))
