"""Measure a response matrix in bf16, with a correction by a few draws in both precisions: work units and their sums.

A draw in both precisions costs as much as 2.5 in bf16, so that N / 32 of them add 8 % to the time of N. With fewer than
32 of them the error of the correction would be a guess. N draws in bf16, R rows, U units, D latents, T features.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

import torch

from lrx.responses.bf16 import InBf16
from lrx.responses.draws import Block, blocks, enumerated
from lrx.responses.enumeration import enumeration, num_values
from lrx.responses.interventions import BlockResponses, block_responses, row_units
from lrx.responses.measure_matrix import GROUPS, matrix_units
from lrx.responses.measurement import Measurement
from lrx.responses.mixed_matrix import MixedMatrix
from lrx.responses.response_sums import EMPTY, products_of_row, rounding
from lrx.responses.work_units import Values, WorkUnit

SHARE, LEAST = 32, 32  # draws in bf16 for each in both precisions; those in both, at least, for a fair error


def num_corrections(num_samples: int) -> int:
    """Return the number of draws in both precisions, P, for N draws in bf16."""
    return max(LEAST, num_samples // SHARE)


def measure_mixed(
    m: Measurement, *, base: str, num_samples: int, net: int, num_groups: int, with_std: bool
) -> MixedMatrix:
    """Measure the response matrix over `num_samples` draws in bf16, and `num_corrections` independent ones in both
    precisions, which come after them; see `lrx.responses.measure_matrix`.

    A draw in both precisions counts as two.
    """
    rows = range(len(m.units))
    groups = min(num_groups, GROUPS, num_samples // net)
    matrix = MixedMatrix(rows, m.units, base=base, net=net, num_groups=groups, with_std=with_std)
    matrix.values = enumeration(m, base=base, num_samples=num_samples)
    in_bf16 = matrix_units(m, matrix, InBf16(m.autoencoder), num_samples=num_samples)
    corrections = num_corrections(num_samples)
    work = itertools.chain(_of_level(0, in_bf16), _of_level(1, units_of_both(m, matrix, corrections)))
    total = (num_samples + 2 * corrections) * (len(rows) * num_values(matrix.values) + 1)
    for (level, _, row), values in m.share.values(work, total=total, progress=lambda done: m.progress(done, total)):
        (matrix.add, matrix.add_both)[level](row, values)
    return matrix


def _of_level(level: int, work: Iterator[WorkUnit]) -> Iterator[WorkUnit]:
    """Yield units whose keys begin with the level: no shard in float32 alone has such."""
    return (WorkUnit((level, *unit.key), unit.responses, unit.evaluate) for unit in work)


def units_of_both(m: Measurement, matrix: MixedMatrix, corrections: int) -> Iterator[WorkUnit]:
    """Yield work units of independent draws in both precisions, with the `sums_of_both`."""
    drawn = blocks(m, base=matrix.base)
    once = (Block(block.size, functools.cache(block.draws), block.enumeration) for block in drawn)
    exact, rounded = (
        row_units(
            block_responses(
                autoencoder,
                same,
                rows=matrix.rows,
                units=m.units,
                num_samples=corrections,
                batch_size=m.batch_size,
            ),
            _responses,
        )
        for autoencoder, same in zip(
            (m.autoencoder, InBf16(m.autoencoder)), itertools.tee(enumerated(once, matrix.values)), strict=True
        )
    )
    for pair in zip(exact, rounded, strict=True):
        sums = functools.partial(sums_of_both, *pair, with_std=matrix.with_std)
        yield WorkUnit(pair[0].key, 2 * pair[0].responses, sums)


def sums_of_both(exact: WorkUnit, rounded: WorkUnit, *, with_std: bool) -> Values:
    """Return what `MixedMatrix.add_both` takes of a unit in both precisions."""
    exact_RNU, h_ND, centre_D, partners_NR = exact.evaluate()
    rounded_RNU, rounded_h_ND, _, _ = rounded.evaluate()
    e_ND, rounded_e_ND = h_ND.double() - centre_D, rounded_h_ND.double() - centre_D
    differences = [e_ND - rounded_e_ND, e_ND.square() - rounded_e_ND.square()]
    more = [*differences, e_ND, e_ND.square()] if with_std else []
    products, lagged = [], []
    for row, (square_NU, rounded_NU) in enumerate(zip(exact_RNU, rounded_RNU, strict=True)):
        features = [torch.ones_like(square_NU), square_NU - rounded_NU, square_NU, *more]
        partners_N = partners_NR[:, row] if partners_NR.numel() else None
        pair = products_of_row(torch.stack(features, dim=-1), partners_N, net=1)
        products.append(pair[0])
        lagged.append(pair[1])
    moments = [e_ND, e_ND.square(), rounded_e_ND, rounded_e_ND.square(), differences[0].square()]
    return (
        torch.stack(products),
        torch.stack(lagged) if partners_NR.numel() else EMPTY,
        rounding(h_ND),
        torch.stack(moments).sum(1) if exact.key[1] == 0 else EMPTY,
    )


def _responses(block: BlockResponses, rows: range) -> Values:
    """Return pooled d^2 (R, N, U), h(z) (N, D), a centre near it (D,), and the partners of draws (N, R) or nothing."""
    after, partners_ND = block.after_interventions(rows), block.draws.partners_ND
    squares = [block.units.pooled((after_ND.double() - block.h_ND.double()).square()) for after_ND in after]
    firsts = torch.stack([block.units.members[unit][0] for unit in block.set_at(rows)])
    partners_NR = EMPTY if partners_ND is None else partners_ND[:, firsts]
    return torch.stack(squares), block.h_ND, block.first.h_ND.double().mean(0), partners_NR
