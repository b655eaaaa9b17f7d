from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.interpolation.assay import Settings, share_factors
from lrx.assays.run import run_assay
from lrx.core.factors import FactorSpace
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


class Squares:
    """Images (1, 8, 8) of one bright pixel; row and column are factors, and so is a third that nothing shows."""

    name, source, fingerprint, observation_shape = "squares", "made in the test", "0", (1, 8, 8)
    factors = FactorSpace(("row", "column", "constant"), (4, 4, 1))

    def __len__(self) -> int:
        return 16

    def raw(self, indices: Tensor) -> Tensor:
        x = torch.zeros(len(indices), 1, 8, 8, dtype=torch.uint8)
        classes = self.factors.classes(indices)
        x[torch.arange(len(indices)), 0, 2 * classes[:, 0], 2 * classes[:, 1]] = 255
        return x


class Pixel(nn.Module):
    """Reads row and column of the bright pixel, and draws the nearest pixel: h rounds to the grid of classes."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.arange(8.0) / 2)

    def encode(self, x: Tensor) -> Tensor:
        return torch.stack([x.sum((1, 3)) @ self.places, x.sum((1, 2)) @ self.places], dim=1)

    def decode(self, z: Tensor) -> Tensor:
        down, across = ((-20 * (z[:, i : i + 1] - self.places).square()).softmax(1) for i in (0, 1))
        return down[:, None, :, None] * across[:, None, None, :]


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


class Exact:
    """A probe that makes no error: the brightest row and column."""

    varying, scores = [0, 1], {"probe_accuracy": 1.0, "probe_accuracy_se": 0.01}

    def to(self, device: torch.device) -> Exact:
        return self

    def classes(self, x: Tensor) -> Tensor:
        return torch.stack([x.sum((1, 3)).argmax(1) // 2, x.sum((1, 2)).argmax(1) // 2], dim=1)


def test_shared_factors_are_kept_on_straight_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrx.assays.interpolation.assay.factor_probe", lambda *_, **__: Exact())
    result = assay(Pixel(), data=Squares(), probe_steps=60, num_nodes=0, steps=3, num_pairs=8, share=0.9)
    assert result.scores["probe_accuracy"] == 1
    assert result.scores["num_sharing"] >= 4
    classes = Squares.factors.classes(torch.from_numpy(result.arrays["ends"].values))
    shared = (classes[:, 0, :2] == classes[:, 1, :2]).any(1).numpy()
    kept = values(result, "kept")["straight"]
    assert np.array_equal(~np.isnan(kept), shared)
    assert (kept[shared] == 1).all()
    assert result.arrays["images"].values.shape == (4, 2, 9, 1, 8, 8)
    assert result.arrays["images"].axes == ("path", "shown", "point", "channel", "height", "width")


class LabelledSquares:
    """The same images, whose row and column are labels."""

    name, source, fingerprint, observation_shape = "squares", "made in the test", "0", (1, 8, 8)
    label_names, label_sizes = Squares.factors.names, Squares.factors.sizes

    def __len__(self) -> int:
        return 16

    def raw(self, indices: Tensor) -> Tensor:
        return Squares().raw(indices)

    def label_classes(self, indices: Tensor) -> Tensor:
        return Squares.factors.classes(indices)


def test_shared_labels_are_read_like_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrx.assays.interpolation.assay.factor_probe", lambda *_, **__: Exact())
    given = {"probe_steps": 60, "num_nodes": 0, "steps": 3, "num_pairs": 8}
    result = assay(Pixel(), data=LabelledSquares(), share=0.9, **given)
    drawn = torch.randperm(16, generator=torch.Generator().manual_seed(0)).view(2, 8).T
    assert result.arrays["ends"].values.tolist() == drawn.tolist()  # no label can be made equal
    classes = Squares.factors.classes(drawn)[..., :2]
    shared = (classes[:, 0] == classes[:, 1]).any(1).numpy()
    kept = values(result, "kept")["straight"]
    assert np.array_equal(~np.isnan(kept), shared)
    assert shared.any()
    assert (kept[shared] == 1).all()
    grid = assay(Pixel(), data=Squares(), share=0.0, **given)
    assert np.array_equal(grid.arrays["kept"].values, result.arrays["kept"].values, equal_nan=True)


def test_factor_that_changes_and_returns_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Restless(Exact):
        """Reads row 3 wherever the column is neither that of the first nor of the last class."""

        def classes(self, x: Tensor) -> Tensor:
            read = super().classes(x)
            read[(read[:, 1] == 1) | (read[:, 1] == 2), 0] = 3
            return read

    monkeypatch.setattr("lrx.assays.interpolation.assay.factor_probe", lambda *_, **__: Restless())
    result = assay(Pixel(), data=Squares(), probe_steps=60, num_nodes=0, steps=0, num_pairs=8, share=0.9, num_points=7)
    classes = Squares.factors.classes(torch.from_numpy(result.arrays["ends"].values))[..., :2]
    kept = values(result, "kept")["straight"]
    for pair, (a, b) in enumerate(classes.tolist()):
        if a[0] == b[0] != 3 and {a[1], b[1]} == {0, 3}:
            assert 0 < kept[pair] < 0.7


def test_number_of_shared_factors() -> None:
    space = FactorSpace(("a", "b", "c"), (10, 10, 10))
    a, b = torch.randint(1000, (2, 4000), generator=torch.Generator().manual_seed(0))
    b = torch.where(a == b, (b + 1) % 1000, b)
    found = share_factors(space, a, b, 0.5, torch.Generator().manual_seed(1))
    assert (found != a).all()
    equal = (space.classes(found) == space.classes(a)).double().mean()
    assert float(equal) == pytest.approx(0.5 + 0.05 - 0.125, abs=0.03)  # an eighth would be equal, and stays as it was
    assert torch.equal(share_factors(space, a, b, 0.0, torch.Generator()), b)


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
