"""Record of a metric: its scores and what they mean, and the function that measures it.

It stands as `METRIC` at the end of the metric's own file, where `lrx.metrics.catalog` finds it. Report, picture,
documentation and `assay=metrics` read it from there; there is no other list of metrics. So that results can be read
without them, the files of metrics import torch, scipy and scikit-learn only in the functions that need them.
N images, D latents, F factors or labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    """Input of a metric: codes and classes of N distinct images in random order, and the split of them.

    num_train: what is learned is learned from so many images, the first, and tested on the others: no image is on both
        sides, also where there are fewer than `sizes` asks for. Metrics that learn nothing take the first
        `sizes.num_train`, or all.
    trees, num_threads: kind of trees (`lrx.metrics.dci.TREES`), and threads to grow them with.
    """

    codes_ND: np.ndarray
    classes_NF: np.ndarray
    num_train: int
    sizes: Sizes
    trees: str
    num_threads: int


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
    range: the least and the largest value, None where there is no upper bound.
    chance: value for codes without information, where it is not 0; `1/F` for one over the number of factors.
    has_se: whether the metric estimates its standard error.
    compares_factors: whether it says nothing of a single factor.
    """

    meaning: str
    label: str
    range: tuple[float, float] | None = None
    chance: float | Literal["1/F"] | None = None
    has_se: bool = True
    compares_factors: bool = False


@dataclass(frozen=True, kw_only=True)
class Metric:
    """Metric as `assay=metrics` runs it.

    name: as `assay.only=[name]` takes it. scores: by name, in the order of reports.
    measure: points and a generator of the metric's own to scores and arrays.
    maps: titles of the arrays (latent, factor) that the picture may show, by name.
    votes: whether it compares images that share a class, which data with rare classes cannot serve.
    position: place in reports, and of its seed among those drawn: the metrics of the study have 1 to 9. None for all
        others, which come after these by name, and whose seeds are made from their names.
    """

    name: str
    scores: Mapping[str, Score]
    measure: Callable[[Points, torch.Generator], Measured]
    maps: Mapping[str, str] = field(default_factory=dict)
    votes: bool = False
    position: int | None = None
