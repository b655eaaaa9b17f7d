"""Controls along random directions, and signed rows, on loops whose response is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.core.validation import SettingError
from tests.assays.test_interchange import turned
from tests.responses.test_units import matrix
from tests.support.maps_for_tests import Noise, SpaceToDepth
from tests.support.models_for_tests import Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread


class Squashed(nn.Module):
    """h(z) = R' tanh(2 R z): each of the turned latents answers for itself alone."""

    def __init__(self, rotation: Tensor) -> None:
        super().__init__()
        self.rotation = nn.Parameter(rotation, requires_grad=False)

    def encode(self, x: Tensor) -> Tensor:
        return x @ self.rotation

    def decode(self, z: Tensor) -> Tensor:
        return (2 * z @ self.rotation.T).tanh()


def test_axes_of_an_aligned_code_are_special() -> None:
    result = matrix(Squashed(turned(0)), Vectors(), controls=19, num_samples=128)
    assert np.array_equal(values(result, "axis_spread"), np.zeros(3))
    assert values(result, "control_spread").min() > 0
    assert np.array_equal(values(result, "axis_p"), np.full(3, 1 / 20))
    directions = values(result, "control_direction")
    assert np.allclose((directions**2).sum(1), 1)
    assert result.coordinates["control"].tolist() == list(range(19))


def test_axes_of_a_turned_code_are_not() -> None:
    result = matrix(Squashed(turned(math.pi / 4, dim=2)), Vectors(dim=2), controls=19, num_samples=128)
    assert values(result, "axis_p").min() > 0.2
    assert values(result, "axis_spread").min() > 3 * values(result, "axis_spread_se").max()


def test_axis_outside_a_turned_plane_is_special() -> None:
    result = matrix(Squashed(turned(math.pi / 4)), Vectors(), controls=19, num_samples=128)
    assert values(result, "axis_p")[2] == 1 / 20
    assert values(result, "axis_p")[:2].min() > 1 / 20


def test_no_axis_of_an_identity_is_special() -> None:
    result = matrix(Linear(torch.eye(3, dtype=torch.float64)), Vectors(), controls=9, num_samples=64)
    assert values(result, "axis_p").tolist() == [1, 1, 1]
    assert np.allclose(values(result, "control_own") ** 2, 2, rtol=0.5)  # steps of variance 2 along any direction
    assert np.allclose(values(result, "control_pixels"), values(result, "control_own") / math.sqrt(3))


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_errors_of_controls_match_their_spread(base: str) -> None:
    model = Squashed(turned(0.5))
    drawn = [matrix(model, Vectors(), seed, base=base, controls=2, num_samples=64) for seed in range(80)]
    for name in ("axis_own", "axis_spread", "axis_pixels"):
        spread = np.std([values(result, name) for result in drawn], axis=0, ddof=1)
        error = np.mean([values(result, f"{name}_se") for result in drawn], axis=0)
        known = spread > 1e-9
        assert np.allclose(error[known] / spread[known], 1, atol=0.35), (name, error / spread)


def test_signed_rows_of_a_linear_loop() -> None:
    A = torch.tensor([[0.6, -0.5, 0.0], [0.0, 0.8, 0.3], [0.2, 0.0, -0.4]], dtype=torch.float64)
    result = matrix(Linear(A), Vectors(), signed=True, num_samples=4096)
    step = 2 / math.sqrt(math.pi)  # mean of a step of variance 2 that is upward
    for name, sign in (("up", 1), ("down", -1)):
        gap = np.abs(values(result, name) - sign * step * A.T.numpy())
        assert (gap <= 4.5 * values(result, f"{name}_se") + 1e-12).all()


def test_equal_values_are_on_no_side() -> None:
    class Thirds(Vectors):
        def __init__(self) -> None:
            super().__init__(300, dim=2)
            self.points = torch.stack([torch.arange(300) % 3, torch.zeros(300)], 1).double()

    result = matrix(Linear(torch.eye(2)), Thirds(), base="posterior", signed=True, num_samples=3000)
    for name, mean in (("up", 4 / 3), ("down", -4 / 3)):  # steps of 1, 1 and 2
        assert abs(values(result, name)[0, 0] - mean) <= 4.5 * values(result, f"{name}_se")[0, 0] < 0.1
        assert np.isnan(values(result, name)[1]).all()  # a latent that is the same in all images


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_errors_of_signed_rows_match_their_spread(base: str) -> None:
    model = Squashed(turned(0.5))
    drawn = [matrix(model, Vectors(), seed, base=base, signed=True, num_samples=128) for seed in range(80)]
    for name in ("up", "down"):
        spread = np.std([values(result, name) for result in drawn], axis=0, ddof=1)
        error = np.mean([values(result, f"{name}_se") for result in drawn], axis=0)
        known = spread > 1e-9
        assert np.allclose(error[known] / spread[known], 1, atol=0.35), (name, error / spread)


def test_what_controls_cannot_turn_is_said() -> None:
    with pytest.raises(SettingError, match="controls is of single latents of vectors, not of units=channel"):
        matrix(SpaceToDepth(), Noise(), controls=5)
    with pytest.raises(SettingError, match="controls must be null or a whole number of at least 2, not 1"):
        matrix(Linear(torch.eye(3, dtype=torch.float64)), Vectors(), controls=1)
    one = torch.diag(torch.tensor([1.0, 0, 0]).double())
    result = matrix(Linear(one), Vectors(), controls=5)
    assert "axis_p" not in result.arrays
    assert result.settings["remark"] == "no controls: random directions need two informative latents"
