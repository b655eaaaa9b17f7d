from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.response_matrix.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from tests.support.models_for_tests import Linear, Vectors, values
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
    """Nonlinear autoencoder with a posterior: every latent moves every response, and the decoder saturates."""

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
    """Module of another project: no base class, no attributes of lrx, other names inside."""

    def __init__(self, inner: Linear | Curved) -> None:
        super().__init__()
        self.net = inner

    def encode(self, images: Tensor) -> Tensor:
        return self.net.encode(images)

    def decode(self, codes: Tensor) -> Tensor:
        return self.net.decode(codes)


def assay(model: nn.Module, seed: int = 0, data: Vectors | None = None, **settings: Any) -> AssayResult:
    return run_assay(
        Settings(**{**SETTINGS, **settings}), model, data or Vectors(), torch.Generator().manual_seed(seed)
    )


def within(result: AssayResult, expected: Tensor, errors: float = 4.5) -> bool:
    """Return whether every entry is within some standard errors of the expected one (exactly, where the error is 0)."""
    return bool((np.abs(values(result) - expected.numpy()) <= errors * values(result, "matrix_se") + 1e-12).all())


def test_linear_autoencoder_gives_transposed_magnitudes() -> None:
    result = assay(Linear(A), num_samples=20_000, max_samples=20_000)
    assert within(result, A.abs().T)
    assert values(result, "matrix_se").max() < 0.01
    assert np.allclose(values(result, "mean_square"), 2 * values(result) ** 2, rtol=1e-12)


@pytest.mark.parametrize(("normalization", "expected"), [("half", 1.0), ("none", math.sqrt(2)), ("std", 1.0)])
def test_identity_on_each_scale(normalization: str, expected: float) -> None:
    assert within(assay(Linear(torch.eye(3).double()), normalization=normalization), expected * torch.eye(3))


def test_std_divides_columns_by_response_std() -> None:
    result = assay(Linear(A), normalization="std", num_samples=20_000)
    assert within(result, (A.abs() / A.square().sum(1, keepdim=True).sqrt()).T)
    assert np.allclose(values(result, "response_std"), A.square().sum(1).sqrt(), rtol=0.03)
    half = assay(Linear(A), num_samples=20_000)
    assert np.allclose(values(result), values(half) / values(half, "response_std"), rtol=1e-12)


def test_values_from_data_have_marginal_of_latent() -> None:
    model = Linear(A)  # the encoder does nothing, so codes are the data's standard normal vectors
    assert within(assay(model, base="posterior", num_samples=4000), A.abs().T)


@pytest.mark.parametrize("normalization", ["half", "none", "std"])
def test_constant_decoder_gives_zero_matrix(normalization: str) -> None:
    result = assay(Linear(torch.zeros(3, 3).double()), normalization=normalization, num_samples=100)
    assert not values(result).any()
    assert not values(result, "matrix_se").any()
    assert result.scores["num_informative"] == 0


@pytest.mark.parametrize("normalization", ["half", "std"])
def test_ignored_latents_give_zero_rows_and_columns(normalization: str) -> None:
    matrix = A.clone()
    matrix[:, 1] = 0  # the decoder ignores latent 1
    matrix[2] = 0  # the encoder ignores latent 2
    result = assay(Linear(matrix), normalization=normalization, num_samples=500)
    assert np.array_equal(values(result) == 0, (matrix.T == 0).numpy())
    assert np.array_equal(values(result, "matrix_se") == 0, (matrix.T == 0).numpy())


@pytest.mark.parametrize("base", ["prior", "posterior", "posterior_sample"])
def test_batch_size_changes_nothing(base: str) -> None:
    results = [assay(Curved(), base=base, num_samples=150, batch_size=size) for size in (1, 37, 4096)]
    for name in ("matrix", "matrix_se", "response_std", "kl"):
        assert np.allclose(values(results[0], name), values(results[1], name), rtol=1e-12, atol=1e-15)
        assert np.allclose(values(results[0], name), values(results[2], name), rtol=1e-12, atol=1e-15)


def test_seed_determines_result() -> None:
    first, again, other = assay(Curved()), assay(Curved()), assay(Curved(), seed=1)
    assert np.array_equal(values(first), values(again))
    assert not np.array_equal(values(first), values(other))


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_target_se_is_reached(base: str) -> None:
    result = assay(Curved(), base=base, num_samples=128, target_se=0.02)
    count = result.settings["num_samples"]
    assert isinstance(count, int)
    assert 128 < count < 8000
    assert result.settings["target_reached"] is True
    assert values(result, "matrix_se").max() <= 0.02
    assert result.scores["largest_se"] == values(result, "matrix_se").max()
    assert values(result, "num_draws").max() == count
    assert result.settings["num_pilot"] == 128


def test_target_se_stops_at_max_samples() -> None:
    result = assay(Curved(), num_samples=128, target_se=1e-6, max_samples=700)
    assert result.settings["num_samples"] == 700
    assert result.settings["target_reached"] is False
    assert result.settings["num_responses"] == (128 + 700) * (3 + 1)
    assert values(result, "num_draws").tolist() == values(result, "num_nets").tolist() == [700] * 3


def test_wrapped_module_gives_same_matrix() -> None:
    for inner in (Linear(A), Curved()):
        assert np.array_equal(values(assay(inner)), values(assay(Foreign(inner))))


def test_base_responses_once_and_full_progress() -> None:
    rows: list[int] = []

    class Counting(Linear):
        def decode(self, z: Tensor) -> Tensor:
            rows.append(len(z))
            return super().decode(z)

    calls: list[tuple[int, int]] = []
    settings = Settings(**{**SETTINGS, "num_samples": 300})
    progress = lambda done, total: calls.append((done, total))  # noqa: E731
    run_assay(settings, Counting(A), Vectors(), torch.Generator(), progress=progress)
    assert sum(rows) == 300 * (3 + 1)
    assert max(rows) <= 512
    assert calls[-1] == (1200, 1200)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_smallest_model_and_data() -> None:
    data = Vectors(1, 1)
    result = assay(Linear(torch.ones(1, 1).double()), 0, data, num_samples=2)
    assert values(result).shape == (1, 1)
    assert np.isfinite(values(result, "matrix_se")).all()
    assert assay(Curved(), 0, Vectors(1), num_samples=2).scores["num_active"] == 0
    with pytest.raises(ValueError, match="takes values from other images"):
        assay(Linear(torch.ones(1, 1).double()), 0, data, base="posterior")


def test_256_latents_are_decoded_in_parts() -> None:
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


def test_axes_and_coordinates() -> None:
    result = assay(Linear(A))
    assert result.arrays["matrix"].axes == result.arrays["matrix_se"].axes == ("intervened", "responding")
    assert result.coordinates["intervened"].tolist() == result.coordinates["responding"].tolist() == [0, 1, 2]
    assert result.settings["num_samples"] == 2000
    assert result.settings["target_reached"] is None


def test_nan_weights_raise() -> None:
    with pytest.raises(ValueError, match="not finite"):
        assay(Linear(A * float("nan")))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base": "foo"}, "base must be one of auto, prior, posterior, posterior_sample, not 'foo'"),
        ({"normalization": 1}, "normalization must be one of half, none, std, not 1"),
        ({"num_samples": 1}, "num_samples must be a whole number of at least 2, not 1"),
        ({"num_samples": 10.0}, "num_samples must be a whole number of at least 2, not 10.0"),
        ({"num_samples": True}, "num_samples must be a whole number of at least 2, not True"),
        ({"target_se": 0}, "target_se must be null or a positive number, not 0"),
        ({"target_se": math.nan}, "target_se must be null or a positive number, not nan"),
        ({"target_se": "small"}, "target_se must be null or a positive number, not 'small'"),
        ({"target_se": 0.1, "max_samples": 10}, "at least 256, the draws of the pilot, not 10"),
        ({"batch_size": 0}, "batch_size must be null or a whole number of at least 1, not 0"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        assay(Linear(A), **settings)
