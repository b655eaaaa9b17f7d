"""Time the response matrix of conv5 (D = 24) against the published procedure, at equal draws and equal standard error.

python scripts/bench_response.py [--quick] [--threads 2]

Published (Leeb et al. 2022, as in their code): for each row new base points, h, an intervention, h again, in contiguous
tensors. Time at equal standard error is time per draw times variance of a draw, which is the square of an entry's
standard error times the number of draws; the ratio of variances is the median over the entries.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from benchmodel import LATENTS, SHAPE, kept, trained
from benchrate import has_bf16, matrix_rate, operations
from benchsides import Measured, Side, Turns, in_turns, ratio, spread
from benchtable import Row, Section, main, words
from torch import Tensor

from lrx.assays.response_matrix.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult, Autoencoder
from lrx.responses.latent_response import respond
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.response_sums import feature_sums

EQUAL, EQUAL_ERROR = 5.0, 10.0  # demanded: at equal draws, at equal standard error
MORE, MORE_MIXED = 1.5, 1.4  # demanded over float32: of bf16, and of bf16 with a correction, at equal standard error
PUBLISHED, KEPT = "published procedure", "the same, freed memory kept"
SAME, QUASI, BF16, MIXED = "lrx, independent draws", "lrx", "lrx, bf16", "lrx, mixed"


class OneImage:
    """Data set of one grey image, enough for an assay from the prior."""

    name, source, fingerprint = "one image", "grey", "0"

    def __init__(self, observation_shape: tuple[int, ...]) -> None:
        self.observation_shape = observation_shape

    def __len__(self) -> int:
        return 1

    def raw(self, indices: Tensor) -> Tensor:
        return torch.full((len(indices), *self.observation_shape), 0.5)

    images = raw


def published(model: Autoencoder, latents: int, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return matrix and standard errors (D, D) by the procedure of the authors' code, row by row, nothing shared."""
    generator = torch.Generator().manual_seed(seed)
    matrix = ResponseMatrix(range(latents), latents)
    with torch.no_grad():
        for latent in range(latents):
            z = torch.randn(samples, latents, generator=generator)
            h = model.encode(model.decode(z))
            set_z = z.clone()
            set_z[:, latent] = torch.randn(samples, generator=generator)
            sums = feature_sums(h, [model.encode(model.decode(set_z))], None, centre_D=h.double().mean(0))
            matrix.add(latent, sums)
    values, se = matrix.on_scale("half")
    return values.numpy(), se.numpy()


def by_lrx(
    model: Autoencoder, shape: tuple[int, ...], samples: int, seed: int, *, draws: str, precision: str
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return matrix and standard errors (D, D) by the assay, and the largest difference that bf16 makes."""
    settings = Settings(num_samples=samples, draws=draws, precision=precision, max_samples=samples)
    result = run_assay(settings, model, OneImage(shape), torch.Generator().manual_seed(seed))
    assert isinstance(result, AssayResult)
    arrays = result.arrays
    return arrays["matrix"].values, arrays["matrix_se"].values, result.scores.get("rounding_error", 0.0)


def published_side(path: Path, samples: int, turns: Turns) -> None:
    model = trained(path, plain=True)
    published(model, LATENTS, 8, 0)
    for turn in turns:
        turns.found = published(model, LATENTS, samples, 2 * turn)


def lrx_side(path: Path, samples: int, draws: str, precision: str, turns: Turns) -> None:
    model = trained(path, plain=False)
    by_lrx(model, SHAPE, 8, 0, draws=draws, precision=precision)
    for turn in turns:  # other draws than the published side's, so that the errors are tested
        turns.found = by_lrx(model, SHAPE, samples, 2 * turn + 1, draws=draws, precision=precision)


def measure(*, quick: bool, threads: int) -> Section:
    turns, few, many = (2, 8, 32) if quick else (3, 32, 1024)
    path = kept(quick)
    draws = {PUBLISHED: few, KEPT: few, SAME: many // 4, QUASI: many, BF16: many, MIXED: many}
    sides = [
        Side(PUBLISHED, functools.partial(published_side, path, few), keep_memory=False),
        Side(KEPT, functools.partial(published_side, path, few)),
        Side(SAME, functools.partial(lrx_side, path, many // 4, "independent", "float32")),
        Side(QUASI, functools.partial(lrx_side, path, many, "quasi", "float32")),
    ]
    if has_bf16():
        sides.append(Side(BF16, functools.partial(lrx_side, path, many, "quasi", "bf16")))
        sides.append(Side(MIXED, functools.partial(lrx_side, path, many, "quasi", "mixed")))
    found = in_turns(sides, turns=turns, threads=threads)

    model = trained(path, plain=False)
    response = operations(lambda: respond(model, torch.zeros(8, LATENTS), batch_size=8)) / 8
    independent = variance(found[SAME], draws[SAME])  # that of the published procedure too, which draws the same way
    worth = {name: independent / variance(side, draws[name]) for name, side in found.items()}
    rows = []
    for name, side in found.items():
        a_draw = ratio(found[PUBLISHED], side).scaled(draws[name] / few)
        equal = a_draw.scaled(float(np.median(worth[name])))
        passes = draws[name] * (2 * LATENTS if name in (PUBLISHED, KEPT) else LATENTS + 1)
        rate = matrix_rate(torch.bfloat16 if name == BF16 else torch.float32, threads)
        share = passes * response / spread(side.seconds).median / rate
        cost = spread(side.seconds).scaled(1000 / draws[name])
        if name == PUBLISHED:
            rows.append(Row(name, cost, share=share))
        elif name == KEPT:
            rows.append(Row(name, cost, a_draw, share, note="what the allocator setting of lrx gives alone"))
        elif name == SAME:
            rows.append(Row(name, cost, a_draw, share, f"{EQUAL:g}", a_draw.median >= EQUAL, "at equal draws"))
        elif name == QUASI:
            note, met = "at equal standard error", equal.median >= EQUAL_ERROR
            rows.append(Row(name, cost, equal, share, f"{EQUAL_ERROR:g}", met, note))
        elif name == MIXED:
            exact, mixed = variance(found[QUASI], many), variance(side, many)
            more, most = (
                ratio(found[QUASI], side).scaled(by) for by in (np.median(exact / mixed), exact.max() / mixed.max())
            )
            note = f"at equal standard error; {words(more)} times as fast as float32, {words(most)} by the largest"
            rows.append(Row(name, cost, equal, None, f"{MORE_MIXED:g} over float32", more.median >= MORE_MIXED, note))
        else:
            more = ratio(found[QUASI], side)
            note = f"at equal standard error; {words(more)} times as fast as in float32"
            rows.append(Row(name, cost, equal, share, f"{MORE:g} over float32", more.median >= MORE, note))
    remarks = [
        f"A quasi-random draw is worth {np.median(worth[QUASI]):.2f} independent ones (median over the entries; "
        f"{np.median(np.diagonal(worth[QUASI])):.2f} on the diagonal). Of {turns * LATENTS**2} entries "
        f"{100 * beyond(found[SAME], found[QUASI]):.1f} % differ by more than two standard errors between independent "
        f"and quasi-random draws of their own; 4.6 % do by chance. Between lrx and the published procedure it is "
        f"{100 * beyond(found[PUBLISHED], found[SAME]):.1f} %: errors of {few} draws are rough ones."
    ]
    if has_bf16():
        moved = max(rounding for *_, rounding in found[BF16].found)
        errors = np.stack([se for _, se, _ in found[BF16].found])
        remarks.append(
            f"bf16 moves an entry by at most {moved:.2g}; standard errors are {np.median(errors):.2g} (median) and up "
            f"to {errors.max():.2g}. Of the entries of bf16 with a correction "
            f"{100 * beyond(found[SAME], found[MIXED]):.1f} % differ by more than two standard errors from those of "
            "independent draws in float32."
        )
    text = (
        f"Plain: the published procedure (Leeb et al. 2022), {few} draws per row, float32. Compared with lrx with "
        f"{many // 4} independent draws, at equal draws, and with {many} quasi-random ones, its default, "
        "at equal standard error: time per draw times variance of a draw."
    )
    return Section(f"Response matrix of conv5, D = {LATENTS}", text, "ms a draw", rows, remarks)


def variance(side: Measured, draws: int) -> np.ndarray:
    """Return the variance of a draw (D, D) from the standard errors, mean over turns."""
    return draws * np.mean([se**2 for _, se, *_ in side.found], axis=0)


def beyond(one: Measured, other: Measured) -> float:
    """Return the share of entries that differ by more than two standard errors."""
    pairs = zip(one.found, other.found, strict=True)
    return float(np.mean([abs(a[0] - b[0]) > 2 * np.hypot(a[1], b[1]) for a, b in pairs]))


if __name__ == "__main__":
    main(measure, __doc__)
