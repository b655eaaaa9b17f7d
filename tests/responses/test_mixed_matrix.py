"""Response matrix in bf16 with a correction: no bias against float32, and intervals that hold what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.response_matrix.assay import Settings
from lrx.core.types import AssayResult
from lrx.responses.measure_mixed import measure_mixed, num_corrections
from lrx.responses.measurement import measurement
from lrx.responses.mixed_matrix import NORMAL, MixedMatrix, root, total_error
from tests.assays.test_response_matrix import A, Curved
from tests.support.assays_for_tests import assert_batches_and_shards_change_nothing, measure_with
from tests.support.models_for_tests import Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS = Settings(num_samples=1024, draws="independent", precision="mixed", base="prior", batch_size=512)
measure = measure_with(SETTINGS)


class Rounded(nn.Module):
    """Stands for a model in bf16: codes are 5 % too large, and off by up to 0.02, as if by chance, of all latents."""

    def __init__(self, model: Linear) -> None:
        super().__init__()
        self.model = model

    def encode(self, x: Tensor) -> Tensor:
        code = self.model.encode(x)
        return 1.05 * code + 0.02 * torch.sin(1e4 * code + 1e4 * x.sum(1, keepdim=True))

    def decode(self, z: Tensor) -> Tensor:
        return self.model.decode(z)


@pytest.fixture(autouse=True)
def bf16_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrx.responses.measure_mixed.InBf16", Rounded)
    monkeypatch.setattr("lrx.assays.response_matrix.precision.quick_bf16", lambda device: True)


def mixed(
    model: Linear | Curved, seed: int, *, num_samples: int, base: str = "prior", with_std: bool = False
) -> MixedMatrix:
    dim = model.matrix.shape[1]
    m = measurement(model, Vectors(dim=dim), torch.Generator().manual_seed(seed), batch_size=2048)
    return measure_mixed(m, base=base, num_samples=num_samples, net=1, num_groups=32, with_std=with_std)


@pytest.mark.parametrize("scale", ["half", "std"])
@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_linear_autoencoder_gives_transposed_magnitudes(base: str, scale: str) -> None:
    result = measure(Linear(A), Vectors(), num_samples=20_000, base=base, normalization=scale)
    truth = A.abs().T / (A.square().sum(1).sqrt() if scale == "std" else 1)
    present = truth.numpy() > 0
    gap = np.abs(values(result) - truth.numpy())
    assert (gap <= 4.5 * values(result, "matrix_se"))[present].all()
    assert values(result, "matrix_se")[present].max() < 0.015
    assert np.allclose(values(result, "response_std"), A.square().sum(1).sqrt(), rtol=0.03)
    assert values(result, "rounding")[present].max() > 0.03 or scale == "std"


def test_intervals_cover_with_and_without_signal() -> None:
    """Repeat 256 draws of a linear model 500 times; one response is well above rounding, one far below, others zero."""
    matrix = torch.tensor([[0.9, 0.001], [0.0, 0.4]], dtype=torch.float64)
    truth, covered, estimates = matrix.abs().T, [], []
    for seed in range(500):
        own, se = mixed(Linear(matrix), seed, num_samples=256).on_scale("half")
        covered.append(((own - truth).abs() <= 1.96 * se).double())
        estimates.append(own.square())
    mean, spread = torch.stack(estimates).mean(0), torch.stack(estimates).std(0)
    assert ((mean - truth.square()).abs() <= 4 * spread / math.sqrt(500)).all()  # bf16 alone is 5 % off
    share = torch.stack(covered).mean(0)
    assert 0.93 <= share[0, 0] <= 0.97
    assert 0.93 <= share[1, 1] <= 0.97
    assert share[1, 0] >= 0.90  # of 32 squares alone, whose distribution is skew
    assert share[0, 1] >= 0.95


def test_dead_latent_has_no_rounding() -> None:
    matrix = A.clone()
    matrix[:, 1] = 0  # the decoder ignores latent 1
    matrix[0, 1] = 1e-4
    result = measure(Linear(matrix), Vectors())
    assert values(result)[1, 0] == pytest.approx(1e-4, rel=0.5)
    assert np.array_equal(values(result)[1, 1:], [0, 0])
    assert values(result, "rounding")[1].min() > 0.005
    assert result.scores["num_informative"] == 2


@pytest.mark.parametrize("ratio", [0, 0.1, 0.5, 1, 2, 2.2, 3, 5, 30])
def test_root_of_normal_estimate_is_covered(ratio: float) -> None:
    estimate = ratio + torch.randn(20_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    matrix, se = root(estimate, torch.ones_like(estimate))
    share = ((matrix - math.sqrt(ratio)).abs() <= 1.96 * se).double().mean()
    assert 0.935 <= share <= 0.99


def test_root_far_from_zero_is_that_of_delta_method() -> None:
    matrix, se = root(torch.tensor([4.0, 0.0]).double(), torch.tensor([0.001, 0.0]).double())
    assert matrix.tolist() == [2, 0]
    assert se.tolist() == pytest.approx([0.001 / 4, 0], rel=1e-3)


def test_few_draws_widen_the_error() -> None:
    from scipy import stats

    bf16, both = torch.tensor([1.0, 0.0, 1.0, 0.0]).double(), torch.tensor([0.0, 1.0, 1.0, 0.0]).double()
    widened = total_error(bf16, both, 8) * NORMAL
    known = [stats.norm.ppf(0.975), stats.t.ppf(0.975, 7), math.sqrt(2) * stats.t.ppf(0.975, 28), 0]
    assert widened.tolist() == pytest.approx(known, rel=1e-5)


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_errors_match_repeated_estimates(base: str) -> None:
    found = [mixed(Curved(), seed, num_samples=256, base=base, with_std=True) for seed in range(150)]
    for scale in ("half", "std"):
        estimates, errors = (torch.stack(part) for part in zip(*(one.on_scale(scale) for one in found), strict=True))
        ratio = errors.mean(0) / estimates.std(0)
        assert (ratio - 1).abs().max() < 0.3  # the spread of 150 numbers is known to 6 %
        assert abs(ratio.mean() - 1) < 0.12
    estimates, errors = (torch.stack(part) for part in zip(*(one.read_back() for one in found), strict=True))
    assert (errors.mean(0) / estimates.std(0) - 1).abs().max() < 0.25


def test_bootstrap_has_the_same_error() -> None:
    matrix = mixed(Linear(A), 0, num_samples=1024)
    replicates = torch.cat(list(matrix.replicates(500, torch.Generator().manual_seed(0))))
    own, se = matrix.on_scale("none")
    assert torch.allclose(replicates.mean(0), own, atol=0.02)
    assert torch.allclose(replicates.std(0), se, rtol=0.3)


def test_rows_of_a_matrix_are_the_same_alone() -> None:
    matrix = mixed(Linear(A), 0, num_samples=64, base="posterior", with_std=True)
    part = matrix.of_rows([2, 0])
    assert isinstance(part, MixedMatrix)
    for whole, rows in ((matrix.on_scale("std"), part.on_scale("std")), (matrix.read_back(), part.read_back())):
        for every, some in zip(whole, rows, strict=True):
            assert torch.equal(every[[2, 0]], some)


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_batches_and_shards_change_nothing(base: str) -> None:
    def few(*given: object, **changes: object) -> AssayResult:
        return measure(*given, num_samples=300, base=base, **changes)  # type: ignore[arg-type]

    assert_batches_and_shards_change_nothing(few, Linear(A), Vectors())


def test_result_says_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    result = measure(Linear(A), Vectors())
    assert (result.settings["precision"], result.settings["num_corrections"]) == ("mixed", num_corrections(1024))
    assert result.settings["remark"] is None
    monkeypatch.setattr("lrx.assays.response_matrix.precision.quick_bf16", lambda device: False)
    result, usual = measure(Linear(A), Vectors()), measure(Linear(A), Vectors(), precision="float32")
    assert np.array_equal(values(result), values(usual))
    assert result.settings["precision"] == "float32"
    assert "all draws are in float32" in str(result.settings["remark"])


def test_target_se_is_refused() -> None:
    with pytest.raises(ValueError, match="precision=mixed has no target_se or target_relative_se; give num_samples"):
        Settings(precision="mixed", target_se=0.1)
