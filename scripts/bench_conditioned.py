"""Time the conditioned response matrix of conv5 (D = 24, rendered 3D Shapes) against the published procedure.

python scripts/bench_conditioned.py [--quick] [--threads 2]

Published (Leeb et al. 2022, as in their code): for each factor groups of images; for each group and each row 32 base
points of the group, h, an intervention, h again, the whole D x D matrix, of which the diagonal is kept; contiguous
tensors. Both sides use the same groups, one factor per turn, and independent pairs. Time at equal standard error is
time times the square of the error, here the mean over entries, each relative to its value.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from benchmodel import LATENTS, kept, shapes, trained
from benchrate import matrix_rate, operations
from benchsides import Measured, Side, Turns, in_turns, ratio, spread
from benchtable import Row, Section, main
from torch import Tensor

from lrx.core.types import Autoencoder, FactorDataset, as_float
from lrx.responses.conditioned import conditioned_responses, group_indices
from lrx.responses.latent_response import respond
from lrx.responses.measurement import measurement

DEMANDED = 10.0
BASE_POINTS = 32  # of a group and row, of the published procedure
MAX_PAIRS = 12  # of a group and latent, as in configs/assay/conditioned_response.yaml
PUBLISHED, LRX = "published procedure", "lrx"


def published(
    model: Autoencoder, data: FactorDataset, factor: int, groups: int, seed: int, base_points: int = BASE_POINTS
) -> Tensor:
    """Return root mean squares (G, D) of groups of a factor, row by row with nothing shared."""
    generator = torch.Generator().manual_seed(seed)
    size, rows = data.factors.sizes[factor], []
    numbers = torch.randperm(data.factors.num_points // size, generator=generator)[:groups]  # as the assay has them
    for indices in group_indices(data.factors, factor, numbers):
        with torch.no_grad():
            codes = model.encode(as_float(data.raw(indices)).contiguous())
            latents = codes.shape[1]
            matrix = codes.new_empty(latents, latents)
            for latent in range(latents):
                a = torch.randint(size, (base_points,), generator=generator)
                b = (a + torch.randint(1, size, (base_points,), generator=generator)) % size
                z = codes[a]
                h = model.encode(model.decode(z))
                moved = z.clone()
                moved[:, latent] = codes[b, latent]
                matrix[latent] = (model.encode(model.decode(moved)) - h).square().mean(0).sqrt()
        rows.append(matrix.diagonal().double())
    return torch.stack(rows)


def published_side(path: Path, groups: int, turns: Turns) -> None:
    model, data = trained(path, plain=True), shapes()
    respond(model, torch.zeros(BASE_POINTS, LATENTS), batch_size=BASE_POINTS)
    for factor in turns:
        turns.found = published(model, data, factor, groups, factor).numpy(), 2 * BASE_POINTS * LATENTS * groups


def lrx_side(path: Path, groups: int, turns: Turns) -> None:
    model, data = trained(path, plain=False), shapes()
    respond(model, torch.zeros(BASE_POINTS, LATENTS), batch_size=BASE_POINTS)
    for factor in turns:
        m = measurement(model, data, torch.Generator().manual_seed(factor))
        responses = conditioned_responses(m, factor, num_groups=groups, max_pairs=MAX_PAIRS)
        turns.found = responses.rms()[0].numpy(), responses.num_responses


def measure(*, quick: bool, threads: int) -> Section:
    factors = shapes().factors
    turns, groups = (2, 2) if quick else (len(factors), 2)
    path = kept(quick)
    sides = [
        Side(PUBLISHED, functools.partial(published_side, path, groups), keep_memory=False),
        Side(LRX, functools.partial(lrx_side, path, groups)),
    ]
    found = in_turns(sides, turns=turns, threads=threads)
    matrices = {name: np.stack([rms.mean(0) for rms, _ in side.found]) for name, side in found.items()}
    squares = {name: relative_square(side, matrices[LRX]) for name, side in found.items()}

    model = trained(path, plain=False)
    response = operations(lambda: respond(model, torch.zeros(8, LATENTS), batch_size=8)) / 8
    rate = matrix_rate(torch.float32, threads)
    rows = []
    for name, side in found.items():
        share = response * sum(passes for _, passes in side.found) / sum(side.seconds) / rate
        seconds = spread([each / groups for each in side.seconds])
        note = f"relative error {100 * squares[name] ** 0.5:.1f} %"
        if name == PUBLISHED:
            rows.append(Row(name, seconds, share=share, note=note))
        else:
            equal = ratio(found[PUBLISHED], side).scaled(squares[PUBLISHED] / squares[name])
            rows.append(Row(name, seconds, equal, share, f"{DEMANDED:g}", equal.median >= DEMANDED, note))
    more = 100 * (matrices[PUBLISHED].sum() / matrices[LRX].sum() - 1)
    text = (
        f"Plain: the published procedure, {BASE_POINTS} base points per row, against lrx with at most {MAX_PAIRS} "
        f"pairs per latent, the same {groups} groups of {turns} factors, float32, compared at equal standard error. "
        "Ranges are over factors."
    )
    remarks = [f"The sum of all entries: published {more:+.1f} % relative to lrx."]
    return Section(f"Conditioned response matrix of conv5, D = {LATENTS}", text, "s a group", rows, remarks)


def relative_square(side: Measured, matrix_FD: np.ndarray) -> float:
    """Return the mean square over groups of the standard errors relative to the matrix."""
    errors_FD = np.stack([rms_GD.std(0, ddof=1) / len(rms_GD) ** 0.5 for rms_GD, _ in side.found])
    return float(np.mean((errors_FD / matrix_FD) ** 2))


if __name__ == "__main__":
    main(measure, __doc__)
