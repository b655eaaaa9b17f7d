"""Planes of two latents against the field of a linear model."""

from __future__ import annotations

import numpy as np
import pytest

from lrx.core.validation import SettingError
from lrx.explore.plane import PART, plane_of
from tests.explore.sessions import A, linear


def test_plane_of_linear_model() -> None:
    session = linear()
    view = session.view({"image": 3})
    plane = plane_of(session, view, 2, 0, side=9)
    parts = list(plane.parts())
    assert max(map(len, parts)) <= PART
    maps, axis = plane.maps(np.concatenate(parts)), plane.axis_n.numpy()
    code = session.codes([view])[0].numpy()
    for row, across in ((0, 8), (5, 2)):
        code[2], code[0] = axis[across], axis[row]
        expected = (A.numpy() @ code - code)[[2, 0]]
        np.testing.assert_allclose(maps["u"][:, row, across], expected, atol=1e-12)
        np.testing.assert_allclose(maps["magnitude"][row, across], np.hypot(*expected))
    np.testing.assert_allclose(maps["divergence"], A[2, 2] + A[0, 0] - 2, atol=1e-9)


@pytest.mark.parametrize(
    ("pair", "said"), [((0, 0), "two different units"), ((0, 3), "from 0 to 2, not 3"), ((None, 1), "not None")]
)
def test_wrong_units_of_a_plane(pair: tuple[object, object], said: str) -> None:
    session = linear()
    with pytest.raises(SettingError, match=said):
        plane_of(session, session.view({"image": 0}), *pair)
