"""Time a response map of conv5 (D = 24) against a loop over rows, and exact derivatives against a loop over points.

python scripts/bench_maps.py [--quick] [--threads 2]
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from benchmodel import LATENTS, SHAPE, kept, trained
from benchrate import matrix_rate, operations
from benchsides import Side, Turns, in_turns, ratio, spread
from benchtable import Row, Section, main
from torch import Tensor

from lrx.core.types import Autoencoder
from lrx.responses.encoding import fitting_batch_size
from lrx.responses.jacobian import jacobian_columns, loop_of
from lrx.responses.latent_response import respond
from lrx.responses.vector_field import plane, plane_field

PAIR, EXTENT = (0, 1), 3.0
LOOP, GRID, POINTS, EXACT = "a loop over rows", "lrx", "autograd at each point", "lrx, exact derivatives"

Maps = dict[str, np.ndarray]


def axis(resolution: int) -> Tensor:
    return torch.linspace(-EXTENT, EXTENT, resolution, dtype=torch.float64)


def row_by_row(model: Autoencoder, base_D: Tensor, resolution: int) -> Maps:
    """Return u and its divergence by differences, with one batch per value of the second latent."""
    values = axis(resolution)
    u = torch.zeros(2, resolution, resolution, dtype=base_D.dtype)
    with torch.no_grad():
        for row, second in enumerate(values):
            z = base_D.repeat(resolution, 1)
            z[:, PAIR[0]], z[:, PAIR[1]] = values, second
            u[:, row] = (model.encode(model.decode(z)) - z)[:, list(PAIR)].T
    field, spacing = u.double().numpy(), float(values[1] - values[0])
    divergence = np.gradient(field[0], spacing, axis=1, edge_order=2)
    return {"u": field, "divergence": divergence + np.gradient(field[1], spacing, axis=0, edge_order=2)}


def point_by_point(model: Autoencoder, base_D: Tensor, resolution: int) -> Maps:
    """Return u and its divergence by automatic differentiation, with one Jacobian per point."""
    values = axis(resolution)
    u = np.zeros((2, resolution, resolution))
    divergence = np.zeros((resolution, resolution))
    for row, second in enumerate(values):
        for column, first in enumerate(values):
            z = base_D.clone()
            z[PAIR[0]], z[PAIR[1]] = first, second
            jacobian = torch.autograd.functional.jacobian(lambda z: model.encode(model.decode(z[None]))[0], z)
            with torch.no_grad():
                u[:, row, column] = (model.encode(model.decode(z[None]))[0] - z)[list(PAIR)].double()
            divergence[row, column] = float(sum(jacobian[latent, latent] - 1 for latent in PAIR))
    return {"u": u, "divergence": divergence}


def on_grid(model: Autoencoder, base_D: Tensor, resolution: int) -> Maps:
    """Return the same from lrx, as in assay=response_map: differences, curvature and errors."""
    values = axis(resolution)
    z_ND = plane(base_D, PAIR, values)
    h_ND = respond(model, z_ND, batch_size=fitting_batch_size(SHAPE))
    return plane_field(z_ND.double(), [h_ND.double()], PAIR, float(values[1] - values[0]))


def exactly(model: Autoencoder, base_D: Tensor, resolution: int) -> Maps:
    """Return the same from lrx with assay.derivative=exact."""
    values = axis(resolution)
    z_ND = plane(base_D, PAIR, values)
    field = jacobian_columns(loop_of(model), z_ND, list(PAIR), batch_size=fitting_batch_size(SHAPE))
    return plane_field(z_ND.double(), [part.double() for part in field], PAIR, float(values[1] - values[0]))


def side(
    work: Callable[[Autoencoder, Tensor, int], Maps], path: Path, resolution: int, plain: bool, turns: Turns
) -> None:
    model = trained(path, plain=plain)
    work(model, torch.zeros(LATENTS), 6)
    for _ in turns:
        turns.found = work(model, torch.zeros(LATENTS), resolution)["divergence"]


def measure(*, quick: bool, threads: int) -> Section:
    turns, fine, coarse = (2, 16, 6) if quick else (3, 48, 8)
    path = kept(quick)
    sides = [
        Side(LOOP, functools.partial(side, row_by_row, path, fine, True), keep_memory=False),
        Side(GRID, functools.partial(side, on_grid, path, fine, False)),
        Side(POINTS, functools.partial(side, point_by_point, path, coarse, True), keep_memory=False),
        Side(EXACT, functools.partial(side, exactly, path, coarse, False)),
    ]
    found = in_turns(sides, turns=turns, threads=threads)
    model = trained(path, plain=False)
    response = operations(lambda: respond(model, torch.zeros(8, LATENTS), batch_size=8)) / 8
    rate = matrix_rate(torch.float32, threads)
    rows, remarks = [], []
    for plain, ours, resolution in ((LOOP, GRID, fine), (POINTS, EXACT, coarse)):
        for name in (plain, ours):
            seconds = spread([each / resolution**2 for each in found[name].seconds])
            share = response / seconds.median / rate if resolution == fine else None
            times = None if name == plain else ratio(found[plain], found[name])
            rows.append(Row(name, seconds.scaled(1000), times, share))
        worst = max(float(abs(a - b).max()) for a, b in zip(found[plain].found, found[ours].found, strict=True))
        remarks.append(f"{resolution} x {resolution} points: the divergences differ by at most {worst:.1g}.")
    text = (
        "Plain: a batch for each row of the map, contiguous tensors, differences by numpy; and for exact derivatives "
        "torch.autograd.functional.jacobian one point at a time. lrx also computes curvature and the errors of "
        "differences."
    )
    return Section(f"Response map of conv5, D = {LATENTS}", text, "ms a point", rows, remarks)


if __name__ == "__main__":
    main(measure, __doc__)
