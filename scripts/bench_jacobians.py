"""Time the Jacobian spectra of conv5 (D = 24) in assay=manifold against autograd point by point.

python scripts/bench_jacobians.py [--quick] [--threads 2]
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from benchmodel import LATENTS, kept, shapes, trained
from benchrate import matrix_rate, operations
from benchsides import Side, Turns, in_turns, ratio, spread
from benchtable import Row, Section, main
from torch import Tensor

from lrx.assays.manifold.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult, Autoencoder, Dataset

PLAIN, LRX = "autograd at each point", "lrx"


def spectra(model: Autoencoder, z_ND: Tensor) -> np.ndarray:
    """Return singular values (N, D) of the Jacobian of encode(decode(z)), by a direct implementation."""
    found = []
    for z_D in z_ND:
        jacobian = torch.autograd.functional.jacobian(lambda z: model.encode(model.decode(z[None]))[0], z_D)
        found.append(torch.linalg.svdvals(jacobian))
    return torch.stack(found).double().numpy()


def by_lrx(model: Autoencoder, data: Dataset, points: int) -> AssayResult:
    """Return the result of the assay at `points` prior points and codes of images, which includes the spectra."""
    result = run_assay(Settings(num_points=points), model, data, torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult)
    return result


def plain_side(path: Path, points: int, turns: Turns) -> None:
    model = trained(path, plain=True)
    z_ND = torch.randn(points, LATENTS, generator=torch.Generator().manual_seed(0))
    spectra(model, z_ND[:2])
    for _ in turns:
        spectra(model, z_ND)


def lrx_side(path: Path, points: int, turns: Turns) -> None:
    model, data = trained(path, plain=False), shapes()
    by_lrx(model, data, 2)
    for _ in turns:
        result = by_lrx(model, data, points)
        turns.found = [result.arrays[name].values for name in ("z_prior", "spectrum_prior")]


def measure(*, quick: bool, threads: int) -> Section:
    turns, points = (2, 8) if quick else (3, 32)
    path = kept(quick)
    sides = [
        Side(PLAIN, functools.partial(plain_side, path, points), keep_memory=False),
        Side(LRX, functools.partial(lrx_side, path, points // 2)),
    ]
    found = in_turns(sides, turns=turns, threads=threads)
    model, data, few = trained(path, plain=True), shapes(), 8
    work = {  # of a point: the two sides differ in what they compute, not only in how fast
        PLAIN: operations(lambda: spectra(model, torch.zeros(few, LATENTS))) / few,
        LRX: operations(lambda: by_lrx(model, data, few // 2)) / few,
    }
    rows, rate = [], matrix_rate(torch.float32, threads)
    for name, side in found.items():
        cost = spread([1000 * seconds / points for seconds in side.seconds])
        times = None if name == PLAIN else ratio(found[PLAIN], side)
        rows.append(Row(name, cost, times, 1000 * work[name] / cost.median / rate))
    z_ND, ours_ND = found[LRX].found[0]
    theirs_ND = spectra(model, torch.from_numpy(z_ND[:4]))
    worst = abs(theirs_ND - ours_ND[:4]).max() / theirs_ND.max()
    text = (
        "Plain: torch.autograd.functional.jacobian one point at a time, contiguous tensors, and its singular "
        "values. lrx: assay=manifold at the same number of points, half of them codes of encoded images, float32: "
        "batched backward passes."
    )
    remarks = [f"Singular values differ by at most {worst:.1g} of the largest."]
    return Section(f"Spectra of Jacobians of conv5, D = {LATENTS}", text, "ms a point", rows, remarks)


if __name__ == "__main__":
    main(measure, __doc__)
