"""Measure a response matrix: draws in blocks, work units of a block or of some rows, and their sums.

N draws, D latents, R rows, U units.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from lrx.core.types import Autoencoder
from lrx.responses.enumeration import enumeration, num_values
from lrx.responses.interventions import band_units, block_responses, row_units
from lrx.responses.long_steps import stream
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measurement import Measurement
from lrx.responses.response_sums import unit_sums
from lrx.responses.work_units import ALL_UNITS, WorkUnit

GROUPS = 128  # groups of draws that a bootstrap draws from, at most
SMALL = 2**20  # bytes of sums of a block, which a shard keeps of each of its blocks; of larger ones it has rows


def measure_matrix(
    m: Measurement,
    *,
    base: str,
    num_samples: int,
    net: int = 1,
    rows: Sequence[int] | None = None,
    num_groups: int = 0,
) -> ResponseMatrix:
    """Measure rows of the response matrix, without the scale `std`, over `num_samples` draws: see `add_draws`.

    base, net: see `lrx.responses.draws.blocks`; with nets, num_samples is a multiple of `net`.
    rows: the units to set, None for all. num_groups: see `ResponseMatrix`, at most one for each net.
    """
    groups = min(num_groups, GROUPS, num_samples // net)
    rows = range(len(m.units)) if rows is None else rows
    empty = ResponseMatrix(rows, m.units, base=base, net=net, num_groups=groups, with_std=False)
    return add_draws(m, empty, num_samples=num_samples)


def add_draws(
    m: Measurement,
    matrix: ResponseMatrix,
    *,
    num_samples: int,
    autoencoder: Autoencoder | None = None,
    long_steps: bool = False,
) -> ResponseMatrix:
    """Add `num_samples` draws, each used by every row, to a matrix that has none, and return it.

    autoencoder: the model in another form, such as in bf16; draws still come from the measurement's own.
    long_steps: see `lrx.responses.long_steps`.
    The measurement's progress hears of the responses computed, of (R + 1) num_samples; its share says which to compute.
    A process that has a share of a large matrix has some of its rows, and the sums of those alone.
    ValueError for a base that model or data cannot give, or responses that are not finite.
    """
    matrix.values = enumeration(m, base=matrix.base, num_samples=num_samples)
    work = matrix_units(m, matrix, autoencoder or m.autoencoder, num_samples=num_samples, long_steps=long_steps)
    rows = len(matrix.rows)
    total = num_samples * (rows * num_values(matrix.values) + 1)
    for (_, row), values in m.share.values(work, total=total, progress=lambda done: m.progress(done, total)):
        matrix.add(row, values)
    return matrix


def matrix_units(
    m: Measurement, matrix: ResponseMatrix, autoencoder: Autoencoder, *, num_samples: int, long_steps: bool = False
) -> Iterator[WorkUnit]:
    """Yield the units whose values `ResponseMatrix.add` takes; of a large matrix in shards each has some rows."""
    drawn = block_responses(
        autoencoder,
        stream(m, matrix, net=matrix.net, long_steps=long_steps),
        rows=matrix.rows,
        units=matrix.units,
        num_samples=num_samples,
        batch_size=m.batch_size,
    )
    sums = functools.partial(
        unit_sums,
        net=matrix.net,
        num_groups=len(matrix.counts_GR),
        num_samples=num_samples,
        with_std=matrix.with_std,
    )
    if m.share is not ALL_UNITS and is_large(matrix.products_RDTT.numel()):
        return band_units(drawn, sums, matrix.total)
    return row_units(drawn, sums)


def is_large(doubles: int) -> bool:
    """Return whether shards of a matrix whose products are so many have some of its rows, and not some of the draws."""
    return 8 * doubles > SMALL
