from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.conditioned_response.assay import bootstrap, conditioned_response, scores_of
from lrx.core.factors import FactorSpace
from lrx.core.types import AssayResult
from lrx.responses.conditioned import GroupResponses, conditioned_responses, draw_pairs, ends, group_indices
from tests.support.models_for_tests import Ignoring, values
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {
    "num_groups": 1000,
    "max_pairs": 1000,
    "reduction": "mean_of_rms",
    "threshold": 0.1,
    "num_bootstrap": 50,
    "batch_size": 256,
}


class Grid:
    """Vectors whose entries are the classes, spread over [-1, 1]; a factor of one value is 0."""

    name, source, fingerprint = "grid", "classes", "0"

    def __init__(self, *sizes: int) -> None:
        self.factors = FactorSpace(tuple("abcdef"[: len(sizes)]), sizes)
        self.observation_shape = (len(sizes),)

    def __len__(self) -> int:
        return self.factors.num_points

    def raw(self, indices: Tensor) -> Tensor:
        sizes = torch.tensor(self.factors.sizes, dtype=torch.float64)
        return (2 * self.factors.classes(indices) - (sizes - 1)) / (sizes - 1).clamp(min=1)


class Linear(nn.Module):
    """encode(x) = A x, decode(z) = B z; counts what it decodes."""

    def __init__(self, encoder: Tensor, decoder: Tensor | None = None) -> None:
        super().__init__()
        self.encoder = nn.Parameter(encoder.double())
        self.decoder = nn.Parameter((encoder.T if decoder is None else decoder).double())
        self.decoded, self.largest = 0, 0

    def encode(self, x: Tensor) -> Tensor:
        return x @ self.encoder.T

    def decode(self, z: Tensor) -> Tensor:
        self.decoded, self.largest = self.decoded + len(z), max(self.largest, len(z))
        return z @ self.decoder.T


class Curved(nn.Module):
    """Latents mix three factors, and the response to one depends on all: groups and pairs differ."""

    def __init__(self, mixing: float = 0.4) -> None:
        super().__init__()
        matrix = torch.eye(3) + mixing * torch.tensor([[0.0, 1.0, -0.5], [0.3, 0.0, 1.0], [-1.0, 0.2, 0.0]])
        self.matrix = nn.Parameter(matrix.double())

    def encode(self, x: Tensor) -> Tensor:
        y = x @ self.matrix.T
        return y + 0.5 * torch.sin(3 * y.roll(1, -1)) * y.cos()

    def decode(self, z: Tensor) -> Tensor:
        return torch.tanh(z) + 0.3 * (z * z.roll(-1, -1)).sin()


def assay(model: nn.Module, grid: Grid, seed: int = 0, **settings: Any) -> AssayResult:
    return conditioned_response(model, grid, torch.Generator().manual_seed(seed), **{**SETTINGS, **settings})


def spread(size: int) -> float:
    """The root mean square difference of two different classes of a factor of the grid."""
    places = np.linspace(-1, 1, size)
    return math.sqrt(2 * size / (size - 1) * places.var())


def test_an_axis_aligned_autoencoder_has_a_diagonal_matrix_and_scores_one() -> None:
    result = assay(Linear(torch.eye(3)), Grid(4, 3, 5))
    assert np.allclose(values(result), np.diag([spread(4), spread(3), spread(5)]), atol=1e-12)
    assert values(result, "matrix_se").max() == 0  # all groups, all pairs
    assert spread(3) == pytest.approx(math.sqrt(2))
    scores = result.scores
    assert scores["cds"] == scores["cds_corrected"] == pytest.approx(1, abs=1e-12)
    assert scores["completeness"] == pytest.approx(1, abs=1e-12)
    assert (scores["num_answering"], scores["num_uncovered"]) == (3, 0)
    assert all(scores[f"{name}_se"] == 0 for name in ("cds", "completeness", "num_answering", "num_uncovered"))


@pytest.mark.parametrize("reduction", ["mean_of_rms", "pooled"])
def test_two_factors_rotated_by_45_degrees(reduction: str) -> None:
    """Each moves two latents by 1 / sqrt 2 of its own change; the third is alone in its latent."""
    half = math.sqrt(0.5)
    rotation = torch.tensor([[half, -half, 0], [half, half, 0], [0, 0, 1.0]]).double()
    result = assay(Linear(rotation), Grid(4, 3, 5), reduction=reduction)
    a, b, c = spread(4) * half, spread(3) * half, spread(5)
    assert np.allclose(values(result), [[a, a, 0], [b, b, 0], [0, 0, c]], atol=1e-7)
    cds = (2 * max(a, b) + c) / (2 * a + 2 * b + c)
    assert result.scores["cds"] == pytest.approx(cds, abs=1e-7)
    assert result.scores["cds_corrected"] == pytest.approx((cds - 1 / 3) / (2 / 3), abs=1e-7)
    assert result.scores["completeness"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3, abs=1e-7)


def test_a_collapsed_model_scores_one_and_the_scores_beside_it_tell() -> None:
    only_first = torch.zeros(4, 3)
    only_first[2, 0] = 1
    scores = assay(Linear(only_first), Grid(4, 4, 4)).scores
    assert scores["cds"] == pytest.approx(1)
    assert scores["completeness"] == pytest.approx(1 / 3)
    assert (scores["num_answering"], scores["num_uncovered"]) == (1, 2)


def test_latents_that_all_show_one_factor_are_not_complete() -> None:
    copies = torch.zeros(4, 3)
    copies[:, 0] = 1
    result = assay(Linear(copies, copies.T / 4), Grid(4, 4, 4))
    assert np.allclose(values(result)[0], spread(4) / 4)  # a copy alone moves the picture by a quarter
    assert result.scores["cds"] == pytest.approx(1)
    assert result.scores["completeness"] == pytest.approx(1 / 4 / 3)
    assert result.scores["num_uncovered"] == 2


def test_latents_that_show_all_factors_alike_are_at_chance() -> None:
    sums = torch.ones(4, 3)
    result = assay(Linear(sums, torch.ones(3, 4) / 12), Grid(4, 4, 4))
    assert result.scores["cds"] == pytest.approx(1 / 3)
    assert result.scores["cds_corrected"] == pytest.approx(0, abs=1e-12)


def test_what_the_decoder_ignores_has_no_response() -> None:
    decoder = torch.diag(torch.tensor([1.0, 0.0, 1.0]))
    assert np.allclose(np.diag(values(assay(Linear(torch.eye(3), decoder), Grid(3, 3, 3)))), [2**0.5, 0, 2**0.5])


def test_no_response_at_all_has_no_score_and_decodes_nothing() -> None:
    model = Linear(torch.zeros(2, 3))
    result = assay(model, Grid(3, 3, 3), num_groups=4)
    assert not values(result).any()
    assert not values(result, "matrix_se").any()
    for name in ("cds", "cds_se", "cds_corrected", "cds_corrected_se"):
        assert math.isnan(result.scores[name])
    assert result.scores["completeness"] == 0
    assert (result.scores["num_answering"], result.scores["num_uncovered"]) == (0, 3)
    assert model.decoded == result.settings["num_responses"] == 0


def test_a_model_that_ignores_its_latents_has_a_remark() -> None:
    dead = assay(Ignoring(torch.eye(3)), Grid(3, 3, 3))
    assert not values(dead).any()
    remark = str(dead.settings["remark"])
    assert remark.startswith("no latent answers to any factor with more than 0.1 (the largest is 0)")
    assert "CDS" in remark
    faint = assay(Linear(torch.eye(3) / 100), Grid(3, 3, 3))  # 1e-6 of a perfect model, and the same CDS
    assert faint.scores["cds"] == pytest.approx(1)
    assert "(the largest is 1.4e-06)" in str(faint.settings["remark"])
    assert assay(Linear(torch.eye(3)), Grid(3, 3, 3)).settings["remark"] is None


def test_only_latents_that_move_are_decoded() -> None:
    """Each factor of 4 moves one latent of three, in 9 groups each: 4 responses for h and 12 for pairs, not 36."""
    model = Linear(torch.eye(3))
    result = assay(model, Grid(4, 3, 3))
    assert model.decoded == result.settings["num_responses"] == 9 * (4 + 12) + 2 * 12 * (3 + 6)


def plain(model: nn.Module, grid: Grid, pooled: bool) -> np.ndarray:
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
def test_the_matrix_is_its_definition_a_pair_at_a_time(reduction: str) -> None:
    grid = Grid(4, 3, 2)
    expected = plain(Curved(), grid, reduction == "pooled")
    for batch_size in (7, 1024):
        result = assay(Curved(), grid, reduction=reduction, batch_size=batch_size)
        assert np.allclose(values(result), expected, rtol=1e-12)


@pytest.fixture(scope="module")
def repeats() -> tuple[AssayResult, np.ndarray, np.ndarray]:
    """The exact result of a grid; estimates and standard errors of 500 samples of it: entries, cds, completeness."""
    grid, model, names = Grid(12, 10, 11), Curved(), ("cds", "completeness")
    exact = assay(model, grid, max_pairs=10**6)
    estimates, errors = [], []
    for seed in range(500):
        result = assay(model, grid, seed, num_groups=32, max_pairs=12, num_bootstrap=200)
        estimates.append([*values(result).flatten(), *(result.scores[name] for name in names)])
        errors.append([*values(result, "matrix_se").flatten(), *(result.scores[f"{name}_se"] for name in names)])
    return exact, np.array(estimates), np.array(errors)


def test_intervals_cover_the_truth(repeats: tuple[AssayResult, np.ndarray, np.ndarray]) -> None:
    """95 % intervals of 32 groups hold the exact value in 93 to 97 of 100 samples: entries, cds, completeness."""
    exact, estimates, errors = repeats
    expected = np.array([*values(exact).flatten(), exact.scores["cds"], exact.scores["completeness"]])
    student = 2.04  # of 31 degrees of freedom
    covered = (abs(estimates - expected) <= student * errors).mean(0)
    assert 0.93 <= covered[:-2].mean() <= 0.97
    assert 0.93 <= covered[-2] <= 0.97
    assert 0.93 <= covered[-1] <= 0.97
    assert np.allclose(errors.mean(0), estimates.std(0), rtol=0.12)


def test_sampled_and_exhaustive_agree(repeats: tuple[AssayResult, np.ndarray, np.ndarray]) -> None:
    """Drawn pairs bias the root of a mean; what is left of that is lost in the error of one sample."""
    exact, estimates, errors = repeats
    expected = values(exact).flatten()
    mean, mean_se = estimates[:, :-2].mean(0), estimates[:, :-2].std(0) / math.sqrt(len(estimates))
    assert (abs(mean - expected) < 3 * mean_se + 0.1 * errors[:, :-2].mean(0)).all()
    assert (abs(estimates[0, :-2] - expected) <= 3 * errors[0, :-2]).all()


def test_the_root_of_a_mean_of_drawn_pairs_is_corrected() -> None:
    """Over all 12 of 90 pairs that can be drawn, the mean of the corrected root is nearer to the root of all."""
    generator = torch.Generator().manual_seed(0)
    squares = torch.randn(90, generator=generator, dtype=torch.float64).square()
    drawn = squares[draw_pairs(10, 20_000, 12, generator)]
    variance = (1 - 12 / 90) * drawn.var(1) / 12
    groups = GroupResponses(drawn.mean(1)[:, None], variance[:, None], 20_000, 12, 0)
    root, of_pairs = groups.rms()
    exact = squares.mean().sqrt()
    assert drawn.mean(1).sqrt().mean() < 0.99 * exact
    assert abs(root.mean() / exact - 1) < 0.004
    assert float(of_pairs.mean()) == pytest.approx(float(root.var()), rel=0.2)


def test_a_bootstrap_of_some_groups_has_the_variance_of_drawing_them() -> None:
    values_GD = torch.rand(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    some = GroupResponses(values_GD, torch.full_like(values_GD, 0.01), 50, 12, 0)
    matrix, replicates = bootstrap([some], reduction="pooled", count=20_000, generator=torch.Generator())
    expected = (1 - 20 / 50) * values_GD.var(0) / 20 + (20 / 50) * 0.01 / 20
    assert torch.allclose(matrix[0], values_GD.mean(0).sqrt())
    assert torch.allclose(replicates[:, 0].square().var(0), expected, rtol=0.05)


def test_groups_are_the_traversals_of_the_grid_each_once() -> None:
    factors = FactorSpace(("a", "b", "c"), (3, 4, 2))
    for factor, size in enumerate(factors.sizes):
        groups = group_indices(factors, factor, torch.arange(24 // size))
        assert sorted(groups.flatten().tolist()) == list(range(24))
        for group in groups:
            walk = factors.traversal(factors.classes(group[0]), factor)
            assert torch.equal(factors.index(walk), group)


def test_pairs_are_ordered_distinct_and_drawn_once() -> None:
    a, b = ends(torch.arange(20), 5)
    assert [*zip(a.tolist(), b.tolist(), strict=True)] == list(itertools.permutations(range(5), 2))
    for count in (7, 15):
        drawn = draw_pairs(5, 1000, count, torch.Generator().manual_seed(0))
        assert all(len(row.unique()) == count for row in drawn)
        expected = 1000 * count / 20
        assert np.allclose(np.bincount(drawn.flatten(), minlength=20), expected, atol=4.5 * math.sqrt(expected))


def test_factors_of_one_value_are_left_out_by_name() -> None:
    result = assay(Linear(torch.eye(3)), Grid(1, 3, 4), num_groups=3)
    assert result.coordinates["factor"].tolist() == ["b", "c"]
    assert result.settings["left_out"] == "a"
    assert values(result).shape == values(result, "matrix_se").shape == (2, 3)
    assert values(result, "num_groups").tolist() == [3, 3]
    assert values(result, "num_groups_of_grid").tolist() == [4, 3]
    assert values(result, "num_pairs").tolist() == [6, 12]


def test_one_factor_has_no_chance_to_correct_for() -> None:
    result = assay(Linear(torch.ones(1, 1)), Grid(5))
    assert result.scores["cds"] == 1
    assert math.isnan(result.scores["cds_corrected"])


def test_data_that_cannot_be_assayed_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a factor of two values or more, grid has none"):
        assay(Linear(torch.eye(2)), Grid(1, 1))
    bare = Grid(2, 2)
    del bare.factors
    with pytest.raises(ValueError, match="assay=conditioned_response needs known factors of variation, and grid"):
        assay(Linear(torch.eye(2)), bare)


def test_many_latents_and_many_values_go_in_bounded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Linear(torch.ones(256, 1), torch.ones(1, 256) / 256)
    result = assay(model, Grid(3000), max_pairs=40, batch_size=None)
    assert np.allclose(values(result), spread(3000) / 256, rtol=0.5)
    assert model.largest <= 1024
    grid = Grid(3, 50)  # every group with 6 pairs: nothing is drawn but the order of the groups
    small = Linear(torch.ones(7, 2), torch.ones(2, 7) / 7)
    settings = {"num_groups": 50, "max_pairs": 6, "batch_size": 100}
    whole = conditioned_responses(small, grid, 0, generator=torch.Generator(), **settings)
    monkeypatch.setattr("lrx.responses.conditioned.POINTS", 50)
    monkeypatch.setattr("lrx.responses.conditioned.PAIRS", 50)
    parts = conditioned_responses(small, grid, 0, generator=torch.Generator(), **settings)
    assert torch.allclose(whole.mean_square_GD, parts.mean_square_GD)
    assert whole.num_responses == parts.num_responses == 50 * (3 + 7 * 6)


def test_it_comes_out_the_same_again_and_progress_ends_at_all_of_it() -> None:
    seen: list[tuple[int, int]] = []
    settings = {"num_groups": 5, "max_pairs": 6}
    first = assay(Curved(), Grid(4, 5, 3), **settings, progress=lambda done, total: seen.append((done, total)))
    again = values(assay(Curved(), Grid(4, 5, 3), batch_size=3, **settings))
    assert np.allclose(values(first), again, rtol=1e-12, atol=0)  # float64
    assert not np.array_equal(values(first), values(assay(Curved(), Grid(4, 5, 3), seed=1, **settings)))
    assert seen == sorted(seen)
    assert seen[-1] == (5 * (4 + 5 + 3 + 3 * 18), 5 * (4 + 5 + 3 + 3 * 18))


def test_scores_go_over_leading_axes() -> None:
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
def test_settings_are_checked_at_the_door(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        assay(Linear(torch.eye(3)), Grid(2, 2, 2), **settings)
