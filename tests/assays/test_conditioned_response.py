from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lrx.assays.conditioned_response.assay import Settings, scores_of
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from tests.support.class_grid import ClassGrid, Curved, LinearPair
from tests.support.models_for_tests import Ignoring, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {
    "num_groups": 1000,
    "max_pairs": 1000,
    "reduction": "mean_of_rms",
    "threshold": 0.1,
    "num_bootstrap": 50,
    "batch_size": 256,
}


def assay(
    model: nn.Module,
    grid: ClassGrid,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> AssayResult:
    generator = torch.Generator().manual_seed(seed)
    result = run_assay(Settings(**{**SETTINGS, **settings}), model, grid, generator, progress=progress)
    assert isinstance(result, AssayResult)
    return result


def spread(size: int) -> float:
    """The root mean square difference of two different classes of a factor of the grid."""
    places = np.linspace(-1, 1, size)
    return math.sqrt(2 * size / (size - 1) * places.var())


def test_axis_aligned_model_scores_one() -> None:
    result = assay(LinearPair(torch.eye(3)), ClassGrid(4, 3, 5))
    assert np.allclose(values(result), np.diag([spread(4), spread(3), spread(5)]), atol=1e-12)
    assert values(result, "matrix_se").max() == 0  # all groups, all pairs
    assert spread(3) == pytest.approx(math.sqrt(2))
    scores = result.scores
    assert scores["cds"] == scores["cds_corrected"] == pytest.approx(1, abs=1e-12)
    assert scores["completeness"] == pytest.approx(1, abs=1e-12)
    assert (scores["num_responsive"], scores["num_uncovered"]) == (3, 0)
    assert all(scores[f"{name}_se"] == 0 for name in ("cds", "completeness", "num_responsive", "num_uncovered"))


@pytest.mark.parametrize("reduction", ["mean_of_rms", "pooled"])
def test_rotation_by_45_degrees(reduction: str) -> None:
    """Each moves two latents by 1 / sqrt 2 of its own change; the third is alone in its latent."""
    half = math.sqrt(0.5)
    rotation = torch.tensor([[half, -half, 0], [half, half, 0], [0, 0, 1.0]]).double()
    result = assay(LinearPair(rotation), ClassGrid(4, 3, 5), reduction=reduction)
    a, b, c = spread(4) * half, spread(3) * half, spread(5)
    assert np.allclose(values(result), [[a, a, 0], [b, b, 0], [0, 0, c]], atol=1e-7)
    cds = (2 * max(a, b) + c) / (2 * a + 2 * b + c)
    assert result.scores["cds"] == pytest.approx(cds, abs=1e-7)
    assert result.scores["cds_corrected"] == pytest.approx((cds - 1 / 3) / (2 / 3), abs=1e-7)
    assert result.scores["completeness"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3, abs=1e-7)


def test_single_responsive_latent() -> None:
    only_first = torch.zeros(4, 3)
    only_first[2, 0] = 1
    scores = assay(LinearPair(only_first), ClassGrid(4, 4, 4)).scores
    assert scores["cds"] == pytest.approx(1)
    assert scores["completeness"] == pytest.approx(1 / 3)
    assert (scores["num_responsive"], scores["num_uncovered"]) == (1, 2)


def test_copies_of_one_factor_lower_completeness() -> None:
    copies = torch.zeros(4, 3)
    copies[:, 0] = 1
    result = assay(LinearPair(copies, copies.T / 4), ClassGrid(4, 4, 4))
    assert np.allclose(values(result)[0], spread(4) / 4)  # a copy alone moves the picture by a quarter
    assert result.scores["cds"] == pytest.approx(1)
    assert result.scores["completeness"] == pytest.approx(1 / 4 / 3)
    assert result.scores["num_uncovered"] == 2


def test_equal_responses_are_at_chance() -> None:
    sums = torch.ones(4, 3)
    result = assay(LinearPair(sums, torch.ones(3, 4) / 12), ClassGrid(4, 4, 4))
    assert result.scores["cds"] == pytest.approx(1 / 3)
    assert result.scores["cds_corrected"] == pytest.approx(0, abs=1e-12)


def test_latent_without_decoder_weight_has_no_response() -> None:
    decoder = torch.diag(torch.tensor([1.0, 0.0, 1.0]))
    assert np.allclose(
        np.diag(values(assay(LinearPair(torch.eye(3), decoder), ClassGrid(3, 3, 3)))), [2**0.5, 0, 2**0.5]
    )


def test_no_response_has_no_score() -> None:
    model = LinearPair(torch.zeros(2, 3))
    result = assay(model, ClassGrid(3, 3, 3), num_groups=4)
    assert not values(result).any()
    assert not values(result, "matrix_se").any()
    for name in ("cds", "cds_se", "cds_corrected", "cds_corrected_se"):
        assert math.isnan(result.scores[name])
    assert result.scores["completeness"] == 0
    assert (result.scores["num_responsive"], result.scores["num_uncovered"]) == (0, 3)
    assert model.decoded == result.settings["num_responses"] == 0


def test_remark_without_response() -> None:
    dead = assay(Ignoring(torch.eye(3)), ClassGrid(3, 3, 3))
    assert not values(dead).any()
    remark = str(dead.settings["remark"])
    assert remark.startswith("no latent answers to any factor with more than 0.1 (the largest is 0)")
    assert "CDS" in remark
    faint = assay(LinearPair(torch.eye(3) / 100), ClassGrid(3, 3, 3))  # 1e-6 of a perfect model, and the same CDS
    assert faint.scores["cds"] == pytest.approx(1)
    assert "(the largest is 1.4e-06)" in str(faint.settings["remark"])
    assert assay(LinearPair(torch.eye(3)), ClassGrid(3, 3, 3)).settings["remark"] is None


def test_constant_latents_are_not_decoded() -> None:
    """Each factor of 4 moves one latent of three, in 9 groups each: 4 responses for h and 12 for pairs, not 36."""
    model = LinearPair(torch.eye(3))
    result = assay(model, ClassGrid(4, 3, 3))
    assert model.decoded == result.settings["num_responses"] == 9 * (4 + 12) + 2 * 12 * (3 + 6)


def by_definition(model: nn.Module, grid: ClassGrid, pooled: bool) -> np.ndarray:
    """The definition, a pair at a time."""
    matrix = np.zeros((len(grid.factors), 3))
    for factor, size in enumerate(grid.factors.sizes):
        others = [range(1 if other == factor else n) for other, n in enumerate(grid.factors.sizes)]
        for latent in range(3):
            means = []
            for point in itertools.product(*others):
                walk = grid.factors.traversal(torch.tensor(point), factor)
                codes = model.encode(grid.raw(grid.factors.index(walk))).detach()
                squares = []
                for a, b in itertools.permutations(range(size), 2):
                    moved = codes[a].clone()
                    moved[latent] = codes[b, latent]
                    both = model.encode(model.decode(torch.stack([codes[a], moved]))).detach()
                    squares.append(float(both[1, latent] - both[0, latent]) ** 2)
                means.append(np.mean(squares))
            matrix[factor, latent] = np.sqrt(np.mean(means)) if pooled else np.mean(np.sqrt(means))
    return matrix


@pytest.mark.parametrize("reduction", ["mean_of_rms", "pooled"])
def test_matrix_equals_its_definition(reduction: str) -> None:
    grid = ClassGrid(4, 3, 2)
    expected = by_definition(Curved(), grid, reduction == "pooled")
    for batch_size in (7, 1024):
        result = assay(Curved(), grid, reduction=reduction, batch_size=batch_size)
        assert np.allclose(values(result), expected, rtol=1e-12)


def test_constant_factors_are_left_out() -> None:
    result = assay(LinearPair(torch.eye(3)), ClassGrid(1, 3, 4), num_groups=3)
    assert result.coordinates["factor"].tolist() == ["b", "c"]
    assert result.settings["left_out"] == "a"
    assert values(result).shape == values(result, "matrix_se").shape == (2, 3)
    assert values(result, "num_groups").tolist() == [3, 3]
    assert values(result, "num_groups_of_grid").tolist() == [4, 3]
    assert values(result, "num_pairs").tolist() == [6, 12]


def test_one_factor_has_no_cds() -> None:
    result = assay(LinearPair(torch.ones(1, 1)), ClassGrid(5))
    assert not {name for name in result.scores if name.startswith("cds")}
    assert result.scores["completeness"] == 1
    assert result.settings["remark"] == "left out cds, cds_corrected: each compares factors, and one varies"


def test_unusable_data_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a factor of two values or more, grid has none"):
        assay(LinearPair(torch.eye(2)), ClassGrid(1, 1))
    bare = Vectors(4, 2)
    bare.name = "grid"
    with pytest.raises(ValueError, match="assay=conditioned_response needs known factors of variation, and grid"):
        assay(LinearPair(torch.eye(2)), bare)


def test_large_factor_in_bounded_batches() -> None:
    model = LinearPair(torch.ones(256, 1), torch.ones(1, 256) / 256)
    result = assay(model, ClassGrid(3000), max_pairs=40, batch_size=None)
    assert np.allclose(values(result), spread(3000) / 256, rtol=0.5)
    assert model.largest <= 1024


def test_repeatable_with_full_progress() -> None:
    seen: list[tuple[int, int]] = []
    settings = {"num_groups": 5, "max_pairs": 6}
    first = assay(Curved(), ClassGrid(4, 5, 3), **settings, progress=lambda done, total: seen.append((done, total)))
    again = values(assay(Curved(), ClassGrid(4, 5, 3), batch_size=3, **settings))
    assert np.allclose(values(first), again, rtol=1e-12, atol=0)  # float64
    assert not np.array_equal(values(first), values(assay(Curved(), ClassGrid(4, 5, 3), seed=1, **settings)))
    assert seen == sorted(seen)
    assert seen[-1] == (5 * (4 + 5 + 3 + 3 * 18), 5 * (4 + 5 + 3 + 3 * 18))


def test_scores_of_stacked_matrices() -> None:
    matrices = torch.rand(4, 2, 3, 5, generator=torch.Generator().manual_seed(0))
    for name, scores in scores_of(matrices, 0.1).items():
        assert scores.shape == (4, 2)
        assert scores[3, 1] == pytest.approx(float(scores_of(matrices[3, 1], 0.1)[name]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_groups": 1}, "num_groups must be a whole number of at least 2, not 1"),
        ({"max_pairs": 2.0}, "max_pairs must be a whole number of at least 2, not 2.0"),
        ({"num_bootstrap": True}, "num_bootstrap must be a whole number of at least 2, not True"),
        ({"reduction": "sum"}, "reduction must be one of mean_of_rms, pooled, not 'sum'"),
        ({"threshold": math.nan}, "threshold must be a number of at least 0, not nan"),
        ({"batch_size": 0}, "batch_size must be null or a whole number of at least 1, not 0"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        assay(LinearPair(torch.eye(3)), ClassGrid(2, 2, 2), **settings)
