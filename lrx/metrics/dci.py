"""Disentanglement, completeness and informativeness, from the importances of gradient-boosted trees.

R_jk is the importance of latent j for factor k, each column summing to 1. Disentanglement is the mean over latents of
1 - H(R_j.) / log F, weighted by the importance of the latent; completeness the mean over factors of
1 - H(R_.k) / log D; informativeness the mean test accuracy. Source: Eastwood & Williams 2018, section 2; trees, 10,000
training and 5,000 test points in Locatello et al. 2019. N points, D latents, F factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lrx.core.statistics import mean_and_se
from lrx.core.types import Array
from lrx.metrics.points import draw_seed, split_train_test
from lrx.metrics.record import LATENT_FACTOR, UNIT_RANGE, Measured, Metric, Points, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TREES = ("lightgbm", "sklearn")
ROUNDS, DEPTH, RATE = 100, 3, 0.1  # scikit-learn's defaults, which the study took; both kinds of trees have them
IMPORTANCE = "squared_error"  # see `_improvement`


class DCI(NamedTuple):
    """Scores, importances (D, F), and test accuracy of each factor (F,).

    informativeness_se is over test points, the trees held fixed. The other two have no standard error, which would
    take trees on many training sets.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    informativeness_se: float
    importance_DF: np.ndarray
    accuracy_F: np.ndarray


def dci(
    codes: np.ndarray | Tensor,
    classes: np.ndarray | Tensor,
    *,
    num_train: int,
    trees: str,
    num_threads: int,
    generator: torch.Generator,
) -> DCI:
    """Return the scores of codes (N, D) and classes (N, F); the first `num_train` points train, the others test.

    trees: `lightgbm`, or `sklearn` for the study's GradientBoostingClassifier, many times slower.
    Without any information every score but the informativeness is 0. A single latent is complete and a single
    factor disentangled, as if there were a second one that is constant.
    ValueError for other trees, when lightgbm cannot be loaded, or as `lrx.metrics.points.split_train_test`.
    """
    if trees not in TREES:
        raise ValueError(f"trees must be one of {', '.join(TREES)}, not {trees!r}")
    train_ND, labels_NF, test_ND, truth_NF = split_train_test(codes, classes, num_train)
    seed, varying_D = draw_seed(generator), np.ptp(train_ND, axis=0) > 0
    importance_DF, right = np.zeros((train_ND.shape[1], labels_NF.shape[1])), []
    for factor, (labels_N, truth_N) in enumerate(zip(labels_NF.T, truth_NF.T, strict=True)):
        values, values_N = np.unique(labels_N, return_inverse=True)
        predicted_N, importance_D = np.full(len(test_ND), np.bincount(values_N).argmax()), np.zeros(0)
        if varying_D.any():
            data = train_ND[:, varying_D], values_N, test_ND[:, varying_D], seed
            predicted_N, importance_D = _lightgbm(*data, num_threads) if trees == "lightgbm" else _sklearn(*data)
        importance_DF[varying_D, factor] = importance_D / max(importance_D.sum(), np.finfo(float).tiny)
        right.append(values[predicted_N] == truth_N)
    accuracy_F = np.mean(right, axis=1)
    return DCI(
        disentanglement=_concentration(importance_DF),
        completeness=_concentration(importance_DF.T),
        informativeness=float(accuracy_F.mean()),
        informativeness_se=float(mean_and_se(np.mean(right, axis=0))[1]),
        importance_DF=importance_DF,
        accuracy_F=accuracy_F,
    )


def _concentration(importance: np.ndarray) -> float:
    """Return the mean over rows of 1 - entropy / log(columns), weighted by the sums of the rows."""
    from scipy.stats import entropy

    weights = importance.sum(axis=1)
    positive = weights > 0
    if not positive.any():
        return 0.0
    columns = importance.shape[1]
    spread = entropy(importance[positive], axis=1) / np.log(columns) if columns > 1 else np.zeros(positive.sum())
    return float(np.average(1 - spread, weights=weights[positive]))


def _lightgbm(
    train_ND: np.ndarray, labels_N: np.ndarray, test_ND: np.ndarray, seed: int, num_threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted labels of the test points, and the importance of each latent: the sum over its splits."""
    try:
        import lightgbm  # on macOS it needs an OpenMP library
    except (ImportError, OSError) as error:
        raise ValueError(f"trees=lightgbm: lightgbm does not load ({error}); trees=sklearn does without") from error
    classes = int(labels_N.max()) + 1
    settings = {
        **({"objective": "binary"} if classes == 2 else {"objective": "multiclass", "num_class": classes}),
        "learning_rate": RATE,
        "max_depth": DEPTH,
        "num_leaves": 2**DEPTH,
        "boost_from_average": False,  # else the first leaves hold more than their step
        "min_data_in_leaf": 1,
        "min_data_in_bin": 1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": num_threads,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(train_ND, labels_N, params=settings, free_raw_data=True)
    booster = lightgbm.train(settings, data, num_boost_round=ROUNDS)
    probabilities = np.asarray(booster.predict(test_ND, num_threads=num_threads))
    predicted_N = (probabilities > 0.5).astype(np.int64) if classes == 2 else probabilities.argmax(axis=1)
    importance_D = np.zeros(train_ND.shape[1])
    for tree in booster.dump_model()["tree_info"]:
        _improvement(tree["tree_structure"], importance_D)
    return predicted_N, importance_D


def _improvement(node: Mapping[str, Any], importance_D: np.ndarray) -> tuple[float, int]:
    """Add the decrease of the residuals' squared error at each split below a node; return their sum and number there.

    This is scikit-learn's importance. LightGBM's own, the gain, divides by the second derivative instead of the number
    of points: it counts splits among points that are classified correctly already, and ranks models differently. A
    leaf's value times
    its weight (the sum of second derivatives) is the sum of residuals, up to a constant.
    """
    if "leaf_value" in node:
        return node["leaf_value"] * node.get("leaf_weight", 0.0), node.get("leaf_count", 1)  # a lone leaf has neither
    left, points_left = _improvement(node["left_child"], importance_D)
    right, points_right = _improvement(node["right_child"], importance_D)
    total, points = left + right, points_left + points_right
    improvement = left**2 / points_left + right**2 / points_right - total**2 / points
    importance_D[node["split_feature"]] += max(0.0, improvement)  # below 0 by rounding alone
    return total, points


def _sklearn(
    train_ND: np.ndarray, labels_N: np.ndarray, test_ND: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same from scikit-learn."""
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(n_estimators=ROUNDS, max_depth=DEPTH, learning_rate=RATE, random_state=seed)
    model.fit(train_ND, labels_N)
    return model.predict(test_ND), model.feature_importances_


def _measure(points: Points, generator: torch.Generator) -> Measured:
    result = dci(
        points.codes_ND,
        points.classes_NF,
        num_train=points.num_train,
        trees=points.trees,
        num_threads=points.num_threads,
        generator=generator,
    )
    scores = {
        "dci_disentanglement": result.disentanglement,
        "dci_completeness": result.completeness,
        "dci_informativeness": result.informativeness,
        "dci_informativeness_se": result.informativeness_se,
    }
    description = f"importance of a latent in trees ({points.trees}) that predict the factor, a factor's sum being 1"
    arrays = {
        "dci_importance": Array(result.importance_DF, LATENT_FACTOR, "1", description),
        "dci_accuracy": Array(result.accuracy_F, ("factor",), "1", "test accuracy of the trees"),
    }
    return Measured(scores, arrays)


METRIC = Metric(
    name="dci",
    scores={
        "dci_disentanglement": Score(
            meaning="Degree to which each latent is important for a single factor; 1 is best.",
            label="DCI disentanglement",
            range=UNIT_RANGE,
            has_se=False,
            compares_factors=True,
        ),
        "dci_completeness": Score(
            meaning="Degree to which a single latent is important for each factor; 1 is best.",
            label="DCI completeness",
            range=UNIT_RANGE,
            has_se=False,
        ),
        "dci_informativeness": Score(
            meaning="Accuracy of predicting factors from all latents; 1 is best.",
            label="DCI informativeness",
            range=UNIT_RANGE,
        ),
    },
    measure=_measure,
    maps={"dci_importance": "DCI importance"},
    position=2,
)
