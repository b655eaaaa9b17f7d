from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.response_matrix.assay import response_matrix, response_matrix_of, row_sums
from lrx.core.types import AssayResult
from lrx.responses.draws import Block, Draws, blocks
from lrx.responses.interventions import row_pieces
from lrx.responses.latent_response import intervene
from lrx.responses.moments import Moments, feature_sums
from tests.support.models_for_tests import Ignoring, Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {
    "base": "prior",
    "num_samples": 2000,
    "normalization": "half",
    "draws": "independent",
    "precision": "float32",
    "target_se": None,
    "max_samples": 8000,
    "batch_size": 512,
}
A = torch.tensor([[0.9, 0.0, 0.3], [-0.2, 1.1, 0.0], [0.0, 0.5, -0.7]], dtype=torch.float64)


class Curved(nn.Module):
    """A nonlinear autoencoder with a posterior: every latent moves every response, and the decoder saturates."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(A + 0.1)

    def encode(self, x: Tensor) -> Tensor:
        return x + 0.3 * x.square()

    def decode(self, z: Tensor) -> Tensor:
        return torch.tanh(z @ self.matrix.T)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode(x), torch.full_like(x, 0.2)


class Foreign(nn.Module):
    """Someone else's module: no base class, no attributes of lrx, other names inside."""

    def __init__(self, inner: Linear | Curved) -> None:
        super().__init__()
        self.net = inner

    def encode(self, images: Tensor) -> Tensor:
        return self.net.encode(images)

    def decode(self, codes: Tensor) -> Tensor:
        return self.net.decode(codes)


def assay(model: nn.Module, seed: int = 0, data: Vectors | None = None, **settings: Any) -> AssayResult:
    return response_matrix(model, data or Vectors(), torch.Generator().manual_seed(seed), **{**SETTINGS, **settings})


def moments_of(model: nn.Module, given: Iterable[Block], num_samples: int) -> Moments:
    """The moments of three latents over the first draws of these blocks."""
    moments = Moments(3)
    for piece in row_pieces(model, given, latents=3, num_samples=num_samples, batch_size=512, summed=row_sums):
        moments.add(piece.key[1], piece.evaluate())
    return moments


def within(result: AssayResult, expected: Tensor, errors: float = 4.5) -> bool:
    """Every entry within so many standard errors of what it should be (exactly, where the error is 0)."""
    return bool((np.abs(values(result) - expected.numpy()) <= errors * values(result, "matrix_se") + 1e-12).all())


def test_a_linear_autoencoder_gives_its_transposed_magnitudes() -> None:
    result = assay(Linear(A), num_samples=20_000, max_samples=20_000)
    assert within(result, A.abs().T)
    assert values(result, "matrix_se").max() < 0.01
    assert np.allclose(values(result, "mean_square"), 2 * values(result) ** 2, rtol=1e-12)


@pytest.mark.parametrize(("normalization", "expected"), [("half", 1.0), ("none", math.sqrt(2)), ("std", 1.0)])
def test_the_identity_gives_the_identity_on_its_scale(normalization: str, expected: float) -> None:
    assert within(assay(Linear(torch.eye(3).double()), normalization=normalization), expected * torch.eye(3))


def test_std_divides_a_column_by_the_deviation_of_its_response() -> None:
    result = assay(Linear(A), normalization="std", num_samples=20_000)
    assert within(result, (A.abs() / A.square().sum(1, keepdim=True).sqrt()).T)
    assert np.allclose(values(result, "response_std"), A.square().sum(1).sqrt(), rtol=0.03)
    half = assay(Linear(A), num_samples=20_000)
    assert np.allclose(values(result), values(half) / values(half, "response_std"), rtol=1e-12)


def test_from_data_the_values_have_the_marginal_of_their_latent() -> None:
    model = Linear(A)  # the encoder does nothing, so codes are the data's standard normal vectors
    assert within(assay(model, base="posterior", num_samples=4000), A.abs().T)


@pytest.mark.parametrize("normalization", ["half", "none", "std"])
def test_a_constant_decoder_gives_zero_with_zero_error(normalization: str) -> None:
    result = assay(Linear(torch.zeros(3, 3).double()), normalization=normalization, num_samples=100)
    assert not values(result).any()
    assert not values(result, "matrix_se").any()
    assert result.scores["num_informative"] == 0


@pytest.mark.parametrize("normalization", ["half", "std"])
def test_what_the_decoder_ignores_is_a_zero_row_and_what_the_encoder_ignores_a_zero_column(normalization: str) -> None:
    matrix = A.clone()
    matrix[:, 1] = 0  # the decoder ignores latent 1
    matrix[2] = 0  # the encoder ignores latent 2
    result = assay(Linear(matrix), normalization=normalization, num_samples=500)
    assert np.array_equal(values(result) == 0, (matrix.T == 0).numpy())
    assert np.array_equal(values(result, "matrix_se") == 0, (matrix.T == 0).numpy())


def test_a_response_that_varies_by_rounding_alone_is_constant_under_std() -> None:
    moments = Moments(2)
    h = torch.ones(50, 2) + torch.tensor([0, 1.0]) * torch.randn(50, 1, generator=torch.Generator().manual_seed(0))
    h[::2, 0] += 1.2e-7
    for latent in range(2):
        moved = h.flip(0) + torch.tensor([0, float(latent)])
        moments.add(latent, feature_sums(h, [moved], None, centre_D=h.double().mean(0)))
    matrix, se = moments.matrix("std")
    assert matrix[:, 0].tolist() == [0, 0]
    assert se[:, 0].tolist() == [0, 0]
    assert (matrix[:, 1] > 0).all()


def test_a_constant_response_that_moves_is_infinite_under_std() -> None:
    moments = Moments(1)
    h = torch.ones(50, 1, dtype=torch.float64)
    moments.add(0, feature_sums(h, [2 * h], None, centre_D=h[0]))
    matrix, se = moments.matrix("std")
    assert (matrix.item(), se.item()) == (math.inf, math.inf)
    assert moments.matrix("none")[0].item() == 1


def test_one_move_in_many_has_an_error_of_half_its_size() -> None:
    moments = Moments(1)
    moved = torch.zeros(1000, 1, dtype=torch.float64)
    moved[3] = 2
    moments.add(0, feature_sums(torch.zeros_like(moved), [moved], None, centre_D=torch.zeros(1).double()))
    matrix, se = moments.matrix("none")
    assert matrix.item() == pytest.approx(2 / math.sqrt(1000))
    assert se.item() == pytest.approx(matrix.item() / 2, rel=1e-3)


@pytest.mark.parametrize("base", ["prior", "posterior", "posterior_sample"])
def test_standard_errors_are_the_spread_of_repeated_estimates(base: str) -> None:
    data, model = Vectors(20_000), Curved()
    estimates: dict[str, list[tuple[Tensor, Tensor]]] = {"half": [], "std": []}
    for seed in range(200):
        drawn = blocks(model, data, base=base, generator=torch.Generator().manual_seed(seed), batch_size=512)
        moments = moments_of(model, drawn, 256)
        for normalization, collected in estimates.items():
            collected.append(moments.matrix(normalization))
    for collected in estimates.values():
        spread = torch.stack([matrix for matrix, _ in collected]).std(0)
        ratio = torch.stack([se for _, se in collected]).mean(0) / spread
        # the spread of 200 numbers is known to 5 %: nine of them to 20 %, their mean to 10 %
        assert (ratio - 1).abs().max() < 0.2, ratio
        assert abs(ratio.mean() - 1) < 0.1, ratio


@pytest.mark.parametrize("normalization", ["none", "std"])
def test_standard_errors_agree_with_a_bootstrap(normalization: str) -> None:
    generator = torch.Generator().manual_seed(5)
    z, v = torch.randn(2, 400, 3, generator=generator, dtype=torch.float64)
    model = Curved()
    _, se = response_matrix_of(model, Draws(z, v), normalization=normalization, batch_size=64)
    with torch.no_grad():
        h = model.encode(model.decode(z))
        d2 = torch.stack([(model.encode(model.decode(intervene(z, j, v[:, j]))) - h).square() for j in range(3)])
    picks = torch.randint(400, (1000, 400), generator=generator)
    estimates = d2[:, picks].mean(2).sqrt()  # (3, 1000, 3)
    if normalization == "std":
        estimates = (estimates / math.sqrt(2)) / h[picks].std(dim=1, correction=0)
    assert torch.allclose(se, estimates.std(dim=1), rtol=0.12)


@pytest.mark.parametrize("base", ["prior", "posterior", "posterior_sample"])
def test_the_batch_size_changes_nothing(base: str) -> None:
    results = [assay(Curved(), base=base, num_samples=150, batch_size=size) for size in (1, 37, 4096)]
    for name in ("matrix", "matrix_se", "response_std", "kl"):
        assert np.allclose(values(results[0], name), values(results[1], name), rtol=1e-12, atol=1e-15)
        assert np.allclose(values(results[0], name), values(results[2], name), rtol=1e-12, atol=1e-15)


def test_the_seed_decides() -> None:
    first, again, other = assay(Curved()), assay(Curved()), assay(Curved(), seed=1)
    assert np.array_equal(values(first), values(again))
    assert not np.array_equal(values(first), values(other))


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_a_target_takes_samples_until_it_is_reached(base: str) -> None:
    result = assay(Curved(), base=base, num_samples=128, target_se=0.02)
    count = result.settings["num_samples"]
    assert isinstance(count, int)
    assert 128 < count < 8000
    assert result.settings["target_reached"] is True
    assert values(result, "matrix_se").max() <= 0.02
    assert result.scores["largest_se"] == values(result, "matrix_se").max()
    same = assay(Curved(), base=base, num_samples=count)  # the same draws in one go
    assert np.array_equal(values(result), values(same))
    assert np.array_equal(values(result, "matrix_se"), values(same, "matrix_se"))


def test_a_target_out_of_reach_stops_at_the_most_samples_and_says_so() -> None:
    result = assay(Curved(), num_samples=128, target_se=1e-6, max_samples=700)
    assert result.settings["num_samples"] == 700
    assert result.settings["target_reached"] is False
    assert np.array_equal(values(result), values(assay(Curved(), num_samples=700)))


def test_a_foreign_module_gives_the_same_matrix() -> None:
    for inner in (Linear(A), Curved()):
        assert np.array_equal(values(assay(inner)), values(assay(Foreign(inner))))


def test_a_row_of_base_points_is_computed_once_and_every_response_is_reported() -> None:
    rows: list[int] = []

    class Counting(Linear):
        def decode(self, z: Tensor) -> Tensor:
            rows.append(len(z))
            return super().decode(z)

    told: list[tuple[int, int]] = []
    settings = {**SETTINGS, "num_samples": 300, "progress": lambda done, total: told.append((done, total))}
    response_matrix(Counting(A), Vectors(), torch.Generator(), **settings)
    assert sum(rows) == 300 * (3 + 1)
    assert max(rows) <= 512
    assert told[-1] == (1200, 1200)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_informative_latents_and_active_units_are_counted() -> None:
    result = assay(Linear(torch.diag(torch.tensor([1.0, 0.3, 0.36], dtype=torch.float64))), num_samples=8000)
    assert values(result, "informative").tolist() == [1, 0, 1]  # 0.36 is 0.51 on the scale `none`
    assert values(result, "informative").dtype == np.uint8
    assert result.scores["num_informative"] == 2
    assert "kl" not in result.arrays
    result = assay(Curved())
    assert result.scores["num_active"] == 3
    assert values(result, "kl").shape == (3,)


@pytest.mark.parametrize("base", ["prior", "posterior", "posterior_sample"])
def test_a_model_that_ignores_its_latents_has_a_remark(base: str) -> None:
    result = assay(Ignoring(A), base=base, num_samples=100)
    assert not values(result).any()
    remark = str(result.settings["remark"])
    assert remark.startswith("no latent is informative, that is M_jj > 0.5 on the scale none (the largest is 0)")
    nearly = assay(Linear(torch.diag(torch.tensor([0.2, 0.1, 0.3]))), base="prior", num_samples=100)
    assert "no latent is informative" in str(nearly.settings["remark"])
    assert assay(Linear(A), num_samples=100).settings["remark"] is None


def test_the_rule_of_informative_is_on_one_scale_whatever_is_shown() -> None:
    model = Linear(torch.diag(torch.tensor([1.0, 0.3, 0.4])))  # sqrt(2) times these on the scale `none`
    for normalization in ("half", "none", "std"):
        result = assay(model, normalization=normalization)
        assert values(result, "informative").tolist() == [1, 0, 1]
        assert "M_jj > 0.5 on the scale none" in result.arrays["informative"].description


def test_one_latent_one_image_and_two_draws_are_enough() -> None:
    data = Vectors(1, 1)
    result = assay(Linear(torch.ones(1, 1).double()), 0, data, num_samples=2)
    assert values(result).shape == (1, 1)
    assert np.isfinite(values(result, "matrix_se")).all()
    assert assay(Curved(), 0, Vectors(1), num_samples=2).scores["num_active"] == 0
    with pytest.raises(ValueError, match="takes values from other images"):
        assay(Linear(torch.ones(1, 1).double()), 0, data, base="posterior")


def test_256_latents_are_answered_in_pieces() -> None:
    largest = 0

    class Watching(Linear):
        def decode(self, z: Tensor) -> Tensor:
            nonlocal largest
            largest = max(largest, len(z))
            return super().decode(z)

    result = assay(Watching(torch.eye(256).double()), 0, Vectors(10, 256), num_samples=300, batch_size=None)
    assert values(result).shape == (256, 256)
    assert largest <= 1024
    assert within(result, torch.eye(256), errors=6)


def test_axes_are_named_and_labelled() -> None:
    result = assay(Linear(A))
    assert result.arrays["matrix"].axes == result.arrays["matrix_se"].axes == ("intervened", "responding")
    assert result.coordinates["intervened"].tolist() == result.coordinates["responding"].tolist() == [0, 1, 2]
    assert result.settings["num_samples"] == 2000
    assert result.settings["target_reached"] is None


def test_weights_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        assay(Linear(A * float("nan")))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base": "foo"}, "base must be one of prior, posterior, posterior_sample, not 'foo'"),
        ({"normalization": 1}, "normalization must be one of half, none, std, not 1"),
        ({"num_samples": 1}, "num_samples must be a whole number of at least 2, not 1"),
        ({"num_samples": 10.0}, "num_samples must be a whole number of at least 2, not 10.0"),
        ({"num_samples": True}, "num_samples must be a whole number of at least 2, not True"),
        ({"target_se": 0}, "target_se must be null or a positive number, not 0"),
        ({"target_se": math.nan}, "target_se must be null or a positive number, not nan"),
        ({"target_se": "small"}, "target_se must be null or a positive number, not 'small'"),
        ({"target_se": 0.1, "max_samples": 10}, "at least 2000, as assay.num_samples, not 10"),
        ({"batch_size": 0}, "batch_size must be null or a whole number of at least 1, not 0"),
    ],
)
def test_settings_are_checked_at_the_door(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        assay(Linear(A), **settings)


def test_moments_in_blocks_are_moments_in_one_go() -> None:
    z, v = torch.randn(2, 100, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    parts = [Draws(z[part], v[part]) for part in (slice(0, 30), slice(30, 100))]
    moments = moments_of(Curved(), [Block(len(part), functools.partial(Draws.first, part, 100)) for part in parts], 100)
    for normalization in ("half", "std"):
        whole = response_matrix_of(Curved(), Draws(z, v), normalization=normalization, batch_size=100)
        for in_blocks, at_once in zip(moments.matrix(normalization), whole, strict=True):
            assert torch.allclose(in_blocks, at_once, rtol=1e-10)


@pytest.mark.parametrize("normalization", ["half", "std"])
def test_a_95_percent_interval_covers_the_truth_as_often_as_it_says(normalization: str) -> None:
    """500 repeats of 512 draws of a linear model, whose matrix is known; exact zeros have no interval."""
    truth = A.abs().T / (A.square().sum(1).sqrt() if normalization == "std" else 1)
    covered = []
    for seed in range(500):
        result = assay(Linear(A), seed=seed, normalization=normalization, num_samples=512)
        gap = np.abs(values(result) - truth.numpy())
        covered.append((gap <= 1.96 * values(result, "matrix_se"))[truth.numpy() > 0])
    assert 0.93 <= np.mean(covered) <= 0.97
    assert np.all(np.abs(np.mean(covered, axis=0) - 0.95) <= 4 * math.sqrt(0.05 * 0.95 / 500))
