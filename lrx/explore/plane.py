"""Plane of two units through a view: u = h(z) - z on a square of values, part by part, and its divergence.

n points a side, N = n * n, the first unit fastest, as in `lrx.responses.vector_field`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from lrx.core.foreign_code import foreign_errors, packages_of
from lrx.core.validation import SettingError, is_whole
from lrx.explore.session import Session
from lrx.explore.view import View
from lrx.responses.latent_response import respond
from lrx.responses.vector_field import SMALLEST, grid_divergence

SIDE, LARGEST = 21, 61  # points a side, by default and at most
PART = 32  # points of a part, after which a step of a slider may come in between


@dataclass(frozen=True)
class Plane:
    """Square of values of two units. axis_n: values (n,), float64, the same of both."""

    session: Session
    view: View
    first: int
    second: int
    axis_n: Tensor

    def parts(self) -> Iterator[np.ndarray]:
        """Yield the responses of the two units (N, 2), `PART` points at a time."""
        m = self.session.m
        second_N, first_N = (part.reshape(-1) for part in torch.meshgrid(self.axis_n, self.axis_n, indexing="ij"))
        base_D, pair = self.session.codes([self.view])[0], [self.first, self.second]
        for first_B, second_B in zip(torch.split(first_N, PART), torch.split(second_N, PART), strict=True):
            z_BD = base_D.repeat(len(first_B), 1)
            for unit, values_B in zip(pair, (first_B, second_B), strict=True):
                z_BD[:, m.units.members[unit]] = self.session.set_to(unit, values_B).to(z_BD)
            with foreign_errors(packages_of(m.autoencoder)):
                h_BD = respond(m.autoencoder, z_BD, batch_size=m.batch_size)
            yield self.session.values(h_BD)[:, pair]

    def maps(self, h_N2: np.ndarray) -> dict[str, np.ndarray]:
        """Return u (2, n, n), its length `magnitude` and its divergence (n, n), of the responses (N, 2)."""
        axis, side = self.axis_n.numpy(), len(self.axis_n)
        h = h_N2.T.reshape(2, side, side)
        u = np.stack([h[0] - axis[None, :], h[1] - axis[:, None]])
        divergence = grid_divergence(u, float(axis[1] - axis[0]))[0]
        return {"u": u, "magnitude": np.hypot(*u), "divergence": divergence}


def plane_of(session: Session, view: View, first: object, second: object, side: object = SIDE) -> Plane:
    """Return the plane of two units over the larger of their ranges. SettingError for units that there are not."""
    units = len(session.m.units)
    for unit in (first, second):
        if not is_whole(unit, 0) or unit >= units:  # type: ignore[operator]
            raise SettingError(f"a map is over two units from 0 to {units - 1}, not {unit!r}")
    if first == second:
        raise SettingError(f"a map is over two different units, not {first} twice")
    if session.values_DV is not None:
        raise SettingError("latents of this model take a few values, between which h is constant: it has no map")
    if not is_whole(side, SMALLEST) or side > LARGEST:  # type: ignore[operator]
        raise SettingError(f"side must be a whole number from {SMALLEST} to {LARGEST}, not {side!r}")
    first, second, side = cast(tuple[int, int, int], (first, second, side))
    pair = [first, second]
    low, high = float(session.scale.low_U[pair].min()), float(session.scale.high_U[pair].max())
    return Plane(session, view, first, second, torch.linspace(low, high, side, dtype=torch.float64))
