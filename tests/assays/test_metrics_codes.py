"""The metrics on codes of any origin, with classes and continuous factors: what takes which, and what is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import lrx
from lrx.assays.result import Result
from lrx.core.validation import SettingError
from lrx.metrics import catalog
from lrx.metrics.explicitness import explicitness
from lrx.metrics.mig import mig
from lrx.metrics.r2 import r2
from tests.assays.test_metrics import _small as _small
from tests.support.models_for_tests import one_thread as one_thread

RANDOM = np.random.default_rng(0)
FACTORS = np.column_stack([RANDOM.integers(3, size=600), RANDOM.integers(2, size=600), RANDOM.standard_normal(600)])
CODES = FACTORS[:, ::-1] + 0.05 * RANDOM.standard_normal((600, 3))
NAMES = ["shape", "on", "x"]


def measured(codes: Any = CODES, factors: Any = FACTORS, **settings: Any) -> Result:
    given = {"factor_names": NAMES, "preset": "small", **settings}
    result = lrx.metrics(codes, factors, **given)
    assert isinstance(result, Result)
    return result


def test_code_for_each_factor_scores_high() -> None:
    result = measured()
    assert result.scores["mig"] > 0.8
    for name in ("dci_disentanglement", "dci_completeness", "infom", "infoc", "mcc_pearson", "r2_linear"):
        assert result.scores[name] > 0.9, name
    assert result.scores["tad"] > 0.4
    assert result.settings["continuous"] == "x"
    matrix = result.array("mutual_information").values
    assert matrix.shape == (3, 3)
    assert matrix.argmax(axis=0).tolist() == [2, 1, 0]


def test_metrics_of_classes_are_undefined_with_remark() -> None:
    result = measured(only=["mig", "factorvae", "irs", "tad"])
    assert "factorvae, irs, tad take classes: they are without x" in str(result.settings["remark"])
    assert np.isnan(result.array("irs_matrix").values).tolist() == [[False, False, True]] * 3
    assert np.isnan(result.array("tad_auroc").values[0]).tolist() == [True, False, True]  # of two values: `on` alone
    alone = measured(factors=FACTORS[:, 2:], factor_names=["x"])
    assert "left out factorvae, betavae, irs, modularity" in str(alone.settings["remark"])
    assert {"mig", "sap", "mcc_pearson", "dci_informativeness", "r2_boosted", "infoe"} <= set(alone.scores)
    with pytest.raises(SettingError, match="only=irs takes classes, and codes has none; leave it out of only"):
        measured(factors=FACTORS[:, 2:], factor_names=["x"], only=["irs"])
    with pytest.raises(SettingError, match="compares factors that are classes, and codes has one; leave it out"):
        measured(factors=FACTORS[:, 1:], factor_names=["on", "x"], only=["modularity"])


def test_continuous_chooses_which_factors_are_values() -> None:
    assert measured(only=["mig"], continuous=["shape", "x"]).settings["continuous"] == "shape, x"
    assert measured(only=["mig"], continuous=[]).settings["continuous"] is None
    with pytest.raises(SettingError, match="continuous names y; the factors are shape, on, x"):
        measured(continuous=["y"])


def test_settings_reach_the_metrics() -> None:
    by = {name: measured(only=["mig"], information=name).scores["mig"] for name in ("quantiles", "neighbours")}
    assert by["quantiles"] != by["neighbours"]
    wide = CODES * [1, 1, 0.02]
    kept = [measured(wide, only=["infomec"], pruning=rule).scores["infomec_latents_kept"] for rule in ("range", "none")]
    assert kept == [2, 3]


def test_first_points_are_those_of_the_seed() -> None:
    again = measured(only=["mig"])
    assert again.scores == measured(only=["mig"]).scores != measured(CODES[:500], FACTORS[:500], only=["mig"]).scores
    assert again.settings["num_train"] == 400
    every = mig(CODES, FACTORS[:, :2].astype(int), bins=20).mig
    assert measured(factors=FACTORS[:, :2], factor_names=None, only=["mig"]).scores["mig"] == pytest.approx(
        every, abs=0.05
    )


def test_package_of_metrics_is_also_the_function() -> None:
    assert callable(lrx.metrics)
    assert catalog.metrics()["mig"].name == "mig"
    with pytest.raises(ValueError, match="factor shape has 5 values, and there are 600 codes"):
        measured(factors=FACTORS[:5])
    with pytest.raises(SettingError, match="bins is not a setting"):
        measured(bins=3)


def test_undefined_score_has_no_error() -> None:
    one = measured(CODES[:, :1])
    assert "infoc" not in one.scores  # compactness says nothing of one latent
    assert [name for name in one.scores if name.endswith("_se") and name.removesuffix("_se") not in one.scores] == []
    codes, classes = CODES[:40], np.append(np.arange(30) % 2, np.ones(10))[:, None]  # of one class among test points
    found = explicitness(codes, classes.astype(int), num_train=30)
    held_out = r2(codes, classes, num_train=30, generator=torch.Generator().manual_seed(0))
    assert np.isnan([*found[:2], *held_out[:4]]).all()
