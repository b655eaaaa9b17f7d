"""Interchange interventions on models whose cause and isolation are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.catalog import figures_of
from lrx.assays.interchange.assay import Ratio, Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from lrx.core.validation import SettingError
from tests.support.class_grid import ClassGrid, LinearPair
from tests.support.models_for_tests import one_thread as one_thread
from tests.support.models_for_tests import values

GRID = (12, 10, 12)


def turned(angle: float, dim: int = 3) -> Tensor:
    matrix = torch.eye(dim, dtype=torch.float64)
    cos, sin = math.cos(angle), math.sin(angle)
    matrix[:2, :2] = torch.tensor([[cos, sin], [-sin, cos]])
    return matrix


def assay(model: nn.Module, grid: ClassGrid | None = None, seed: int = 0, **settings: Any) -> AssayResult:
    given = Settings(**{"num_pairs": 200, **settings})
    result = run_assay(given, model, grid or ClassGrid(*GRID), torch.Generator().manual_seed(seed))
    assert isinstance(result, AssayResult)
    return result


def test_axis_aligned_model_passes() -> None:
    result = assay(LinearPair(turned(0)))
    assert values(result, "named").tolist() == np.eye(3).tolist()
    for name in ("cause", "isolation"):
        assert np.array_equal(values(result, name), np.ones(3))
        assert result.scores[f"mean_{name}"] == result.scores[f"mean_ceiling_{name}"] == 1
        assert result.scores[f"mean_{name}_se"] == 0
    assert result.settings["remark"] is None


def test_rotated_model_fails() -> None:
    result = assay(LinearPair(turned(math.pi / 4)), latents={"a": [0], "b": [1]})
    cause, isolation = values(result, "cause"), values(result, "isolation")
    assert max(cause[:2]) < 0.3  # half of the change arrives: another class
    assert cause[2] == isolation[2] == 1  # its own latent is not turned
    assert max(isolation[:2]) < 0.8  # a half of the other factors, in the plane, moves too
    assert result.scores["mean_ceiling_cause"] == result.scores["mean_ceiling_isolation"] == 1


def test_both_latents_of_a_plane_cause_without_isolating() -> None:
    result = assay(LinearPair(turned(math.pi / 4)), latents={"a": [0, 1], "b": [0, 1]})
    assert values(result, "cause")[:2].tolist() == [1, 1]
    pairs = values(result, "num_pairs")
    # b is that of the other image, c stays: of the pairs that differ in either, those of c
    assert values(result, "isolation")[0] == pytest.approx(pairs[2] / (pairs[1] + pairs[2]), abs=1e-12)


def test_factor_without_response_is_named() -> None:
    ignoring = torch.diag(torch.tensor([1.0, 1.0, 0.0]).double())
    result = assay(LinearPair(ignoring, ignoring))
    assert math.isnan(values(result, "cause")[2])
    assert result.settings["remark"] == "no latent responds to c: nothing to exchange"
    assert result.scores["mean_cause"] == 1


def test_error_matches_spread_over_pairs() -> None:
    model = LinearPair(turned(0.35))
    drawn = [assay(model, seed=seed, num_groups=2, num_pairs=60, latents={"a": [0], "b": [1]}) for seed in range(60)]
    for name in ("mean_cause", "mean_isolation", "balance"):
        spread = np.std([result.scores[name] for result in drawn], ddof=1)
        error = np.mean([result.scores[f"{name}_se"] for result in drawn])
        assert error / spread == pytest.approx(1, abs=0.35), name  # the spread of 60 is known to 9 %


def test_ratio_is_a_quotient_of_sums() -> None:
    so, counts = torch.tensor([[1, 0], [0, 0], [1, 1]]).bool(), torch.tensor([[1, 1], [0, 0], [1, 1]]).bool()
    ratio = Ratio(so, counts)
    assert ratio.value == 0.75
    assert ratio.influence_P.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("grid", "settings", "message"),
    [
        ((4, 1, 1), {}, "compares factors, and one of grid varies"),
        ((4, 3, 2), {"latents": {"shape": [0]}}, "latents must name factors of a, b, c, not shape"),
        ((4, 3, 2), {"latents": {"a": [7]}}, "latents of a must be of 0 to 2, not 7"),
        ((4, 3, 2), {"threshold": 0.0}, "threshold must be a number above 0 and up to 1, not 0.0"),
    ],
)
def test_wrong_settings_are_refused(grid: tuple[int, ...], settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, SettingError), match=message):
        assay(LinearPair(turned(0)), ClassGrid(*grid), **settings)


def test_picture() -> None:
    draw = figures_of("interchange")
    assert draw is not None
    assert set(draw(assay(LinearPair(turned(0.3))), {})) == {"interchange"}
