from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.interpolation.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult, Autoencoder
from lrx.responses.jacobian import loop_of
from lrx.responses.paths import magnitude_and_gradient
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {
    "num_pairs": 6,
    "share": 0.5,
    "num_points": 9,
    "pulls": 2,
    "num_nodes": 100,
    "neighbours": 6,
    "weight": 5.0,
    "steps": 20,
    "probe_steps": None,
    "cache": None,
    "shown": 2,
    "batch_size": 64,
}
PATHS = ["straight", "response", "graph", "relaxed"]


class Ring:
    """Points of the unit circle."""

    name, source, fingerprint, observation_shape = "ring", "made in the test", "0", (2,)

    def __init__(self, count: int = 200) -> None:
        angle = 2 * math.pi * torch.rand(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        self.points = torch.stack([angle.cos(), angle.sin()], dim=1)

    def __len__(self) -> int:
        return len(self.points)

    def raw(self, indices: Tensor) -> Tensor:
        return self.points[indices]


class Identity(nn.Module):
    """Every code is its own response."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, z: Tensor) -> Tensor:
        return z * self.one


class Circle(Identity):
    """The decoder makes points of the unit circle only: the manifold is a circle, |u| the distance from it."""

    def decode(self, z: Tensor) -> Tensor:
        return z / z.norm(dim=1, keepdim=True) * self.one


def assay(model: nn.Module, seed: int = 0, data: Any = None, **settings: Any) -> AssayResult:
    assert isinstance(model, Autoencoder)
    generator = torch.Generator().manual_seed(seed)
    result = run_assay(Settings(**{**SETTINGS, **settings}), model, data or Ring(), generator)
    assert isinstance(result, AssayResult)
    return result


def values(result: AssayResult, name: str) -> dict[str, np.ndarray]:
    return dict(zip(PATHS, result.arrays[name].values, strict=True))


def test_paths_of_identity_are_straight_and_free() -> None:
    result = assay(Identity())
    assert result.coordinates["path"].tolist() == PATHS
    assert not result.arrays["u"].values.any()
    points, length = values(result, "points"), values(result, "length")
    for path in ("response", "relaxed"):
        assert np.allclose(points[path], points["straight"], atol=1e-9)
    assert (length["graph"] >= length["straight"] - 1e-9).all()
    assert np.allclose(length["straight"], np.linalg.norm(points["straight"][:, -1] - points["straight"][:, 0], axis=1))
    assert np.allclose(values(result, "jump")["straight"], 1)
    assert result.scores["mean_u_graph"] == 0
    assert "kept_graph" not in result.scores


def test_responses_and_relaxed_paths_on_circle() -> None:
    result = assay(Circle(), num_nodes=150)
    points, cost = values(result, "points"), values(result, "cost")
    for path, far in (("response", 1e-12), ("graph", 0.02)):
        assert np.abs(np.linalg.norm(points[path], axis=-1) - 1).max() < far
    assert np.allclose(values(result, "u")["straight"], np.abs(np.linalg.norm(points["straight"], axis=-1) - 1))
    assert (cost["relaxed"] <= cost["straight"] + 1e-9).all()
    assert result.scores["cost_relaxed"] < 0.9 * result.scores["cost_straight"]
    descent = result.arrays["descent"].values
    assert descent.shape == (21, 6)
    assert (np.diff(descent, axis=0) <= 0).all()
    assert np.allclose(descent[0], cost["straight"])
    assert np.allclose(descent[-1], cost["relaxed"])
    ends = Ring().points.numpy()[result.arrays["ends"].values]
    for path in PATHS:
        assert np.allclose(points[path][:, [0, -1]], ends)


def test_slope_of_u_equals_finite_differences() -> None:
    model = Circle()
    z = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    size, slope = magnitude_and_gradient(loop_of(model), z, batch_size=6)
    assert torch.allclose(size, (z.norm(dim=1) - 1).abs())
    for latent in range(2):
        step = torch.zeros(2).double()
        step[latent] = 1e-6
        up, down = (magnitude_and_gradient(loop_of(model), z + s * step, batch_size=64)[0] for s in (1, -1))
        assert torch.allclose(slope[:, latent], (up - down) / 2e-6, atol=1e-6)
    assert not magnitude_and_gradient(loop_of(Identity()), z, batch_size=64)[1].any()


def test_error_of_mean_over_pairs() -> None:
    result = assay(Circle())
    for name in ("mean_u", "jump", "length", "cost"):
        for path, found in values(result, name).items():
            assert result.scores[f"{name}_{path}"] == pytest.approx(found.mean())
            assert result.scores[f"{name}_{path}_se"] == pytest.approx(found.std(ddof=1) / math.sqrt(6))


def test_seed_matters_and_batch_size_does_not() -> None:
    first, again, other = assay(Circle()), assay(Circle(), batch_size=7), assay(Circle(), seed=1)
    for name, array in first.arrays.items():
        assert np.allclose(array.values, again.arrays[name].values, rtol=1e-8, atol=1e-9), name
    assert first.scores != other.scores


def test_two_images_three_points_one_latent() -> None:
    class Line(Ring):
        observation_shape = (1,)

        def __init__(self) -> None:
            self.points = torch.tensor([[0.0], [1.0]], dtype=torch.float64)

    result = assay(Identity(), data=Line(), num_points=3)
    assert result.settings["num_pairs"] == 1
    assert result.settings["num_nodes"] == 0
    assert result.scores["length_graph"] == 1
    one = Line()
    one.points = one.points[:1]
    with pytest.raises(ValueError, match="goes between images, and ring has 1"):
        assay(Identity(), data=one)


def test_model_without_gradients_is_refused() -> None:
    class Closed(Circle):
        @torch.no_grad()
        def decode(self, z: Tensor) -> Tensor:
            return super().decode(z)

    with pytest.raises(ValueError, match="pass no gradients on"):
        assay(Closed())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_pairs": 0}, "num_pairs must be a whole number of at least 1, not 0"),
        ({"num_points": 2}, "num_points must be a whole number of at least 3, not 2"),
        ({"pulls": -1}, "pulls must be a whole number of at least 0, not -1"),
        ({"steps": 1.5}, "steps must be a whole number of at least 0, not 1.5"),
        ({"neighbours": True}, "neighbours must be a whole number of at least 1, not True"),
        ({"weight": -1}, "weight must be a number of at least 0, not -1"),
        ({"share": 1.1}, "share must be a number from 0 to 1, not 1.1"),
        ({"probe_steps": 0}, "probe_steps must be null or a whole number of at least 1, not 0"),
        ({"batch_size": 0}, "batch_size must be null or a whole number of at least 1, not 0"),
    ],
)
def test_settings_are_checked_at_the_door(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        assay(Identity(), **settings)
