"""Gradient-boosted trees that predict a continuous factor, and the importance of each latent in them.

Trees are those of scikit-learn's GradientBoostingRegressor with squared error, 100 of depth 3 at rate 0.1; lightgbm
grows the same kind, many times faster. The importance of a latent is the decrease of the squared error by its splits,
which is lightgbm's gain where second derivatives are 1. N points, D latents.
"""

from __future__ import annotations

import numpy as np

from lrx.metrics.trees import DEPTH, LEAVES, MOST_BINS, RATE, ROUNDS, TIE


def regress(
    train_ND: np.ndarray, values_N: np.ndarray, test_ND: np.ndarray, *, trees: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted values of the test points, and the importance of each latent (D,), which sum to 1 or 0.

    trees: `lightgbm` or `sklearn`. One thread is used. ValueError where lightgbm does not load.
    """
    grow = _lightgbm if trees == "lightgbm" else _sklearn
    predicted_N, importance_D = grow(train_ND, values_N, test_ND, seed)
    importance_D = np.maximum(importance_D, 0)  # below 0 by rounding
    return predicted_N, importance_D / max(importance_D.sum(), np.finfo(float).tiny)


def _lightgbm(
    train_ND: np.ndarray, values_N: np.ndarray, test_ND: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions and importances of lightgbm's trees, a bin for each distinct value.

    Among equal splits lightgbm would take that of the first latent; gains are scaled by a random 1 - 1e-7 u in one
    round, and by 1 - 1e-7 (1 - u) in the next, so that copies of a latent share its importance.
    """
    try:
        import lightgbm  # on macOS it needs an OpenMP library
    except (ImportError, OSError) as error:
        raise ValueError(f"trees=lightgbm: lightgbm does not load ({error}); trees=sklearn does without") from error
    settings = {
        "objective": "regression",
        "learning_rate": RATE,
        "max_depth": DEPTH,
        "num_leaves": LEAVES,
        "min_data_in_leaf": 1,
        "min_data_in_bin": 1,
        "min_sum_hessian_in_leaf": 0.0,
        "max_bin": min(MOST_BINS, max(len(np.unique(column_N)) for column_N in train_ND.T) + 2),
        "use_missing": False,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    random = np.random.default_rng(seed)
    scaled_N = (values_N - values_N.mean()) / values_N.std()  # so that no gain is below lightgbm's least
    booster = lightgbm.Booster(settings, lightgbm.Dataset(train_ND, scaled_N, params=settings))
    order_D = np.zeros(train_ND.shape[1])
    for number in range(ROUNDS):
        order_D = 1 - order_D if number % 2 else random.random(len(order_D))
        booster.reset_parameter({"feature_contri": (1 - TIE * order_D).tolist()})
        if booster.update():  # no split improves the tree
            break
    predicted_N = np.asarray(booster.predict(test_ND, num_threads=1))
    return predicted_N * values_N.std() + values_N.mean(), booster.feature_importance("gain")


def _sklearn(
    train_ND: np.ndarray, values_N: np.ndarray, test_ND: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same from scikit-learn."""
    from sklearn.ensemble import GradientBoostingRegressor

    model = GradientBoostingRegressor(n_estimators=ROUNDS, max_depth=DEPTH, learning_rate=RATE, random_state=seed)
    model.fit(train_ND, values_N)
    return model.predict(test_ND), model.feature_importances_
