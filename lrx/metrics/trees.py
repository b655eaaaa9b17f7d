"""Gradient-boosted trees that classify points, and the importance of each latent in them.

Trees are those of scikit-learn's GradientBoostingClassifier (Friedman 2001): of depth 3, fitted to the residuals
r = y - p of each class by squared error, with leaves sum r / sum |r| (1 - |r|), times (K - 1) / K for K > 2 classes.
The importance of a latent is the sum, over its splits, of the decrease of the squared error. LightGBM's own objectives
divide by second derivatives instead of numbers of points, and rank models differently; so lightgbm finds the splits
here, at unit second derivatives, and the rest is done here. N points, D latents, K classes, T trees of a round.
"""

from __future__ import annotations

import numpy as np

TREES = ("lightgbm", "sklearn")
ROUNDS, DEPTH, RATE = 100, 3, 0.1  # scikit-learn's defaults, which the study took; both kinds of trees have them
LEAVES = 2**DEPTH
IMPORTANCE = "squared_error"
MOST_BINS = 2**16 - 2  # of lightgbm
TIE = 1e-7  # gains that differ by a smaller share are equal


def classify(
    train_ND: np.ndarray, labels_N: np.ndarray, test_ND: np.ndarray, *, trees: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted labels of the test points, and the importance of each latent (D,), which sum to 1 or 0.

    labels: whole numbers from 0, of which each occurs. One thread is used.
    ValueError for other trees, or where lightgbm does not load.
    """
    if trees not in TREES:
        raise ValueError(f"trees must be one of {', '.join(TREES)}, not {trees!r}")
    grow = _lightgbm if trees == "lightgbm" else _sklearn
    predicted_N, importance_D = grow(train_ND, labels_N, test_ND, seed)
    importance_D = np.maximum(importance_D, 0)  # below 0 by rounding, where a split changes nothing
    return predicted_N, importance_D / max(importance_D.sum(), np.finfo(float).tiny)


def _lightgbm(
    train_ND: np.ndarray, labels_N: np.ndarray, test_ND: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted labels and importances of trees whose splits lightgbm finds.

    Each distinct value has a bin, as scikit-learn splits between any two. Among equal splits lightgbm would take that
    of the first latent; gains are scaled by a random 1 - 1e-7 u in each round, and by 1 - 1e-7 (1 - u) in the next, so
    that copies of a latent share its importance.
    """
    try:
        import lightgbm  # on macOS it needs an OpenMP library
    except (ImportError, OSError) as error:
        raise ValueError(f"trees=lightgbm: lightgbm does not load ({error}); trees=sklearn does without") from error
    count, classes, random = len(train_ND), int(labels_N.max()) + 1, np.random.default_rng(seed)
    num_trees = 1 if classes == 2 else classes
    settings = {
        "objective": "none",
        "num_class": num_trees,
        "learning_rate": 1.0,
        "max_depth": DEPTH,
        "num_leaves": LEAVES,
        "min_data_in_leaf": 1,
        "min_data_in_bin": 1,
        "min_sum_hessian_in_leaf": 0.0,
        "max_bin": min(MOST_BINS, max(len(np.unique(column)) for column in train_ND.T) + 2),
        "use_missing": False,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,  # more would wait for each other at every tree: factors are grown beside each other instead
        "verbosity": -1,
    }
    booster = lightgbm.Booster(settings, lightgbm.Dataset(train_ND, labels_N, params=settings))
    points_ND, truth_NT = np.concatenate([train_ND, test_ND]), np.eye(classes)[labels_N][:, -num_trees:]
    share_T = truth_NT.mean(axis=0)
    score_NT = np.tile(np.log(share_T if classes > 2 else share_T / (1 - share_T)), (len(points_ND), 1))
    second = np.ones(truth_NT.shape if num_trees > 1 else count)
    step = RATE * ((classes - 1) / classes if classes > 2 else 1)
    first_T, order_D = LEAVES * np.arange(num_trees), np.zeros(train_ND.shape[1])
    for number in range(ROUNDS):
        residual_NT = truth_NT - _probabilities(score_NT[:count])
        order_D = 1 - order_D if number % 2 else random.random(len(order_D))
        booster.reset_parameter({"feature_contri": (1 - TIE * order_D).tolist()})
        gradient = -residual_NT.reshape(second.shape), second
        if booster.update(fobj=lambda *_, gradient=gradient: gradient):  # no split improves any tree
            break
        leaves = booster.predict(points_ND, start_iteration=number, num_iteration=1, pred_leaf=True, num_threads=1)
        leaf_NT = np.asarray(leaves).astype(np.int64).reshape(score_NT.shape) + first_T
        score_NT += step * _leaf_values(leaf_NT[:count], residual_NT)[leaf_NT]
    test_NT = score_NT[count:]
    predicted_N = (test_NT[:, 0] > 0).astype(np.int64) if classes == 2 else test_NT.argmax(axis=1)
    return predicted_N, booster.feature_importance("gain")


def _probabilities(score_NT: np.ndarray) -> np.ndarray:
    """Return the probabilities of the classes, of two that of the second alone, at their log odds."""
    from scipy.special import expit, softmax

    return np.asarray(expit(score_NT) if score_NT.shape[1] == 1 else softmax(score_NT, axis=1))


def _leaf_values(leaf_NT: np.ndarray, residual_NT: np.ndarray) -> np.ndarray:
    """Return sum r / sum |r| (1 - |r|) over the points of each leaf of all trees, one after the other."""
    leaves, size_NT = leaf_NT.ravel(), np.abs(residual_NT)
    numbers = LEAVES * leaf_NT.shape[1]
    total = np.bincount(leaves, residual_NT.ravel(), numbers)
    curvature = np.bincount(leaves, (size_NT * (1 - size_NT)).ravel(), numbers)
    return np.divide(total, curvature, out=np.zeros(numbers), where=curvature > 1e-150)


def _sklearn(
    train_ND: np.ndarray, labels_N: np.ndarray, test_ND: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same from scikit-learn."""
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(n_estimators=ROUNDS, max_depth=DEPTH, learning_rate=RATE, random_state=seed)
    model.fit(train_ND, labels_N)
    return model.predict(test_ND), model.feature_importances_
