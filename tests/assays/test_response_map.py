from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.response_map.assay import Settings, measure
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from lrx.responses.measure_matrix import measure_matrix
from lrx.responses.measurement import measurement
from lrx.responses.vector_field import plane
from tests.support.models_for_tests import Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {
    "latents": [0, 2],
    "base": "image",
    "index": None,
    "extent": 2.0,
    "resolution": 21,
    "derivative": "grid",
    "num_posterior": 50,
    "decoded": 3,
    "num_samples": 128,
    "max_pairs": 28,
    "batch_size": 200,
}
A = torch.tensor([[0.9, 0.0, 0.8], [-0.2, 1.1, 0.0], [0.6, 0.5, -0.7]], dtype=torch.float64)


class Smooth(Linear):
    """h(z) = tanh(A z + c)."""

    def encode(self, x: Tensor) -> Tensor:
        return torch.tanh(x)


def assay(model: nn.Module, data: Vectors | None = None, seed: int = 0, **settings: Any) -> AssayResult:
    progress = settings.pop("progress", None)
    generator = torch.Generator().manual_seed(seed)
    return run_assay(Settings(**{**SETTINGS, **settings}), model, data or Vectors(80), generator, progress=progress)


@pytest.mark.parametrize("derivative", ["grid", "exact"])
@pytest.mark.parametrize("extent", [0.4, 3.0])
def test_divergence_of_linear_response_is_trace_in_plane(derivative: str, extent: float) -> None:
    result = assay(Linear(A, 0.3), derivative=derivative, extent=extent)
    assert np.allclose(values(result, "divergence"), float(A[0, 0] + A[2, 2]) - 2, rtol=0, atol=1e-10)
    axis = torch.linspace(-extent, extent, 21, dtype=torch.float64)
    z = plane(torch.tensor(values(result, "base")), (0, 2), axis)
    u = z @ A.T + 0.3 - z
    assert np.allclose(values(result, "u")[0], u[:, [0, 2]].T.reshape(2, 21, 21), atol=1e-12)
    assert np.allclose(values(result, "magnitude_full")[0].ravel(), u.norm(dim=1), atol=1e-12)
    assert np.allclose(values(result, "magnitude"), np.hypot(*values(result, "u")[0]), atol=1e-12)


@pytest.mark.parametrize("derivative", ["grid", "exact"])
def test_flat_basin(derivative: str) -> None:
    result = assay(Linear(torch.zeros(3, 3).double(), 0.27), derivative=derivative, resolution=101)
    assert np.allclose(values(result, "divergence"), -2, rtol=0, atol=1e-10)
    first, second = np.meshgrid(result.coordinates["first"], result.coordinates["second"])
    radius = np.hypot(first - 0.27, second - 0.27)
    far = radius > 0.4
    tolerance = 1e-10 if derivative == "exact" else 2e-2
    assert np.allclose(values(result, "curvature")[0][far], 0.5 / radius[far], rtol=tolerance)
    assert result.scores["contracting"] == 1


def test_curvature_is_nan_at_fixed_points() -> None:
    for derivative in ("grid", "exact"):
        nan = np.isnan(values(assay(Linear(0 * A), derivative=derivative), "curvature")[0])
        assert np.argwhere(nan).tolist() == [[10, 10]]
        identity = assay(Linear(torch.eye(3).double()), derivative=derivative)
        assert np.isnan(values(identity, "curvature")).all()
        assert np.allclose(values(identity, "divergence"), 0, atol=1e-10)


def test_grid_and_exact_agree_at_second_order() -> None:
    errors = []
    for resolution in (21, 41, 81):
        grid, exact = (assay(Smooth(A, 0.9), derivative=way, resolution=resolution) for way in ("grid", "exact"))
        assert np.allclose(values(grid, "u"), values(exact, "u"), atol=1e-12)
        inner = (0, slice(2, -2), slice(2, -2))
        off = np.abs(values(grid, "divergence") - values(exact, "divergence"))[inner]
        bent = np.abs(values(grid, "curvature") - values(exact, "curvature"))[inner]
        errors.append((off.max(), np.median(bent)))
        assert 0.8 < values(grid, "divergence_error")[inner].max() / off.max() < 1.2
    ratios = np.array(errors)[:-1] / np.array(errors)[1:]
    assert (np.abs(ratios - 4) < 0.6).all()
    assert "divergence_error" not in exact.arrays


def test_auto_takes_most_entangled_informative_pair() -> None:
    matrix = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.1, 0.9]).double())
    matrix[1, 4] = 0.5  # 4 moves 1
    matrix[3, 0] = 2.0  # strong, but 3 is not informative
    data = Vectors(80, 5)
    result = assay(Linear(matrix), data, latents="auto")
    assert values(result, "latents").tolist() == [[1, 4]]
    assert (result.scores["mapped_informative"], result.scores["mapped_latents"]) == (2, 2)
    assert result.settings["remark"] is None
    every = assay(Linear(matrix), data, latents="all", resolution=6)
    assert values(every, "latents").tolist()[0] == [1, 4]
    assert sorted(map(tuple, values(every, "latents").tolist())) == [(0, 1), (0, 2), (0, 4), (1, 2), (1, 4), (2, 4)]
    assert values(every, "divergence").shape == (6, 6, 6)
    few = assay(Linear(matrix), data, latents="all", resolution=6, max_pairs=2)
    assert (few.scores["num_pairs"], few.settings["pairs_left_out"]) == (2, 4)
    assert np.array_equal(values(few, "u"), values(every, "u")[:2])


@pytest.mark.parametrize("latents", ["auto", "all", [0, 1]])
def test_remark_on_collapsed_model(latents: str | list[int]) -> None:
    result = assay(Linear(0 * A, 0.5), latents=latents)
    assert result.scores["mapped_informative"] == 0
    assert "not informative, that is M_jj > 0.5 on the scale none" in str(result.settings["remark"])
    assert values(result, "divergence").shape == (1, 21, 21)


def test_matrix_and_errors_of_linear_autoencoder() -> None:
    result = assay(Linear(A), latents="auto", num_samples=4000, resolution=6)
    off = np.abs(values(result, "matrix") - A.abs().T.numpy())
    assert (off <= 4.5 * values(result, "matrix_se") + 1e-12).all()
    assert values(result, "matrix_se").max() < 0.03 / np.sqrt(2)
    assert result.arrays["matrix"].description == "latent response matrix, normalization half"
    assert result.coordinates["intervened"].tolist() == result.coordinates["responding"].tolist() == [0, 1, 2]


def test_base_points() -> None:
    data = Vectors(80)
    assert np.array_equal(values(assay(Linear(A), base="image", index=7), "base"), data.points[7].numpy())
    drawn = assay(Linear(A))
    assert np.array_equal(values(drawn, "base"), data.points[int(str(drawn.settings["index"]))].numpy())
    assert values(assay(Linear(A), base="prior"), "base").tolist() == [0, 0, 0]
    assert values(assay(Linear(A), base=[1, 2.5, -3]), "base").tolist() == [1, 2.5, -3]


def test_posterior_codes_and_decoded_observations() -> None:
    result = assay(Linear(A), num_posterior=1000)
    images = result.coordinates["code"]
    assert sorted(images.tolist()) == list(range(80))
    assert np.array_equal(values(result, "posterior")[0], Vectors(80).points[images][:, [0, 2]].numpy())
    corner = torch.tensor(values(result, "base")).clone()
    corner[0], corner[2] = 2.0, -2.0
    assert np.allclose(values(result, "decoded")[0, 0, -1], (corner @ A.T).float().detach(), atol=1e-6)
    assert result.arrays["decoded"].axes == ("pair", "decoded_second", "decoded_first", "dimension")
    without = assay(Linear(A), num_posterior=0, decoded=0)
    assert not {"decoded", "posterior"} & set(without.arrays)


def test_batch_size_changes_nothing_and_progress_is_complete() -> None:
    calls: list[tuple[int, int]] = []
    one = assay(Smooth(A), batch_size=7, latents="auto", progress=lambda done, total: calls.append((done, total)))
    other = assay(Smooth(A), batch_size=None, latents="auto")
    assert np.allclose(values(one, "divergence"), values(other, "divergence"), atol=1e-10)
    assert calls[-1] == (128 * 4 + 441, 128 * 4 + 441)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latents": [3, 3]}, "latents must be two different ones of 0 to 2, not [3, 3]"),
        ({"latents": [1, 1]}, "two different ones"),
        ({"latents": [0, 3]}, "two different ones"),
        ({"latents": [0, -1]}, "two different ones"),
        ({"latents": [0]}, "two different ones"),
        ({"latents": "foo"}, "latents must be auto, all, or two latents [j,k], not 'foo'"),
        ({"latents": 1}, "latents must be auto"),
        ({"base": "posterior"}, "base must be image, prior or a list of 3 numbers, not 'posterior'"),
        ({"base": [0.0, 1.0]}, "base must be image, prior or 3 numbers"),
        ({"index": 80}, "index must be null or a whole number from 0 to 79, not 80"),
        ({"index": 1, "base": "prior"}, "has no effect"),
        ({"extent": 0}, "extent must be a positive number, not 0"),
        ({"extent": "far"}, "extent must be a positive number, not 'far'"),
        ({"resolution": 5}, "resolution must be a whole number of at least 6, not 5"),
        ({"derivative": "fast"}, "derivative must be one of grid, exact, not 'fast'"),
        ({"decoded": -1}, "decoded must be"),
        ({"num_samples": 1}, "num_samples must be"),
        ({"batch_size": 0}, "batch_size must be"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        assay(Linear(A), **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_latent_raises() -> None:
    with pytest.raises(ValueError, match="two latents"):
        assay(Linear(torch.ones(1, 1).double()), Vectors(80, 1))


def test_one_image_and_256_latents() -> None:
    result = assay(Linear(torch.eye(256).double()), Vectors(1, 256), latents="auto", num_samples=4, resolution=6)
    assert values(result, "posterior").shape == (1, 1, 2)
    assert result.settings["index"] == 0


def test_shared_matrix_chooses_pairs() -> None:
    calls: list[tuple[int, int]] = []
    progress = lambda done, total: calls.append((done, total))  # noqa: E731
    m = measurement(Linear(A), Vectors(80), torch.Generator().manual_seed(0), progress=progress)
    shared = measure_matrix(m, base="prior", num_samples=64)
    calls.clear()
    for latents, rows in (("auto", [0, 1, 2]), ([2, 1], [2, 1])):
        settings = Settings(latents=latents, num_samples=None, resolution=6)
        result = measure(dataclasses.replace(m, matrix=shared), settings)
        assert np.array_equal(values(result), shared.on_scale("half")[0][rows])
        assert result.coordinates["intervened"].tolist() == rows
        assert result.settings["num_samples"] == 64
        assert calls[-1] == (36, 36)
