"""Sessions: codes, observations and responses of views against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrx.core.validation import SettingError
from lrx.data.helix import double_helix
from lrx.explore.session import StoredMatrix
from tests.explore.sessions import A, linear, pictures, session_of
from tests.support.maps_for_tests import Noise, scaled
from tests.support.models_for_tests import Linear, Vectors


class Steps(Linear):
    """Quantised latents: each takes the values -1, 0 and 1."""

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x.round().clamp(-1, 1)

    def latent_values(self) -> torch.Tensor:
        return torch.tensor([[-1.0, 0.0, 1.0]] * 3)


class Overflowing(Linear):
    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return z.exp().exp().exp()


def test_set_latents_are_decoded_and_read() -> None:
    session, codes = linear(), Vectors(100).points
    seen = session.see([session.view({"image": 4, "set": {"1": 2.0}}), session.view({"image": 5})])
    z = codes[[4, 5]].clone()
    z[0, 1] = 2.0
    np.testing.assert_allclose(seen.z_NU, z)
    np.testing.assert_allclose(seen.h_NU, z @ A.T)
    np.testing.assert_allclose(seen.observations, z @ A.T, rtol=1e-6)


def test_mix_take_and_set_in_this_order() -> None:
    session, codes = linear(), Vectors(100).points
    view = session.view({"image": 4, "other": 7, "mix": 0.25, "take": [2], "set": {0: -1}})
    expected = 0.75 * codes[4] + 0.25 * codes[7]
    expected[2], expected[0] = codes[7, 2], -1
    np.testing.assert_allclose(session.see([view]).z_NU[0], expected)
    np.testing.assert_allclose(session.see([session.view({"image": 4})]).z_NU[0], codes[4])  # which stays as it was


def test_channels_move_in_standard_deviations() -> None:
    factors = [1.0, 0.5, 2.0, 0.0]
    session = session_of(scaled(factors), Noise())
    centre, spread = (part.reshape(4, -1).numpy() for part in (session.scale.centre_D, session.scale.spread_D))
    seen = session.see([session.view({"image": 0, "set": {1: 1.5, 2: -2.0}})])
    np.testing.assert_allclose(seen.z_NU[0, 1:3], [1.5, -2.0])
    for unit, value in ((1, 1.5), (2, -2.0)):
        read = factors[unit] * (centre[unit] + spread[unit] * value)
        np.testing.assert_allclose(seen.h_NU[0, unit], ((read - centre[unit]) / spread[unit]).mean())


def test_sliders_are_ordered_by_response() -> None:
    assert linear().order == [2, 0, 1]  # |A_jj| is 3, 1 and .2
    own = np.diag([0.1, 0.3, 0.2])
    session = linear(StoredMatrix(own, own, "result.h5"))
    assert session.order == [1, 2, 0]
    assert "result.h5" in session.order_by


def test_ranges_hold_the_codes_of_images() -> None:
    session = linear()
    codes = Vectors(100).points
    assert (session.scale.low_U <= codes.amin(0)).all()
    assert (session.scale.high_U >= codes.amax(0)).all()


def test_constant_latents_have_a_range() -> None:
    data = Vectors(100)
    data.points[:, 1] = 0.5
    session = session_of(Linear(A), data)
    assert (float(session.scale.low_U[1]), float(session.scale.high_U[1])) == (-0.5, 1.5)


def test_images_are_found_by_factors() -> None:
    session = pictures()
    for classes in ([0, 0, 0], [3, 1, 2]):
        image = session.find(classes, changed=1)
        assert session.classes(image) == classes
        assert session.observation(image)[0, 2 * classes[0], 2 * classes[1]] == 60 * (classes[2] + 1)
    with pytest.raises(SettingError, match="row must be a whole number from 0 to 3, not 4"):
        session.find([4, 0, 0], changed=0)


def test_images_are_found_by_labels() -> None:
    helix = double_helix(num_points=50, noise=0.0, seed=0)
    session = session_of(Linear(torch.eye(3)).float(), helix)
    for strand in (0, 1):
        assert session.classes(session.find([strand], changed=0)) == [strand]


def test_quantised_latents_take_their_values() -> None:
    session = session_of(Steps(torch.eye(3)), Vectors(100))
    assert session.see([session.view({"image": 0, "set": {0: 1}})]).z_NU[0, 0] == 1
    with pytest.raises(SettingError, match=r"latent 0 takes the values -1, 0, 1, not 0.5"):
        session.view({"image": 0, "set": {0: 0.5}})


def test_numbers_that_are_not_finite_are_refused() -> None:
    session = linear()
    session.m.autoencoder.decode = Overflowing(A).decode
    with pytest.raises(ValueError, match="not finite"):
        session.see([session.view({"image": 0, "set": {0: 9.0}})])


def test_decoded_images_are_pixels() -> None:
    session = pictures()
    seen = session.see([session.view({"image": 27})])
    np.testing.assert_array_equal(seen.observations[0], session.observation(27))
