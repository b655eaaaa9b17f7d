"""Response matrix to a target of its standard errors, with as many draws for each row as its own errors need.

A pilot of few draws for all rows says how many each row needs, and is then dropped: its luck decides, so it is no part
of the estimate. Fresh draws measure: first a part of what the pilot asks for, at least as many as the pilot had, then,
for rows whose errors are still above the target, what the draws so far ask for, until all are below it. So each number
of draws is fixed before these are drawn. Of n nets, stopping by their own spread moves an estimate by the order of
1 / sqrt(n) of its standard error, and n is 32 or more (the coverage of intervals is tested).

Rows that have nets of one size see the same draws, from the first on, and h(z) of a draw is computed once for them.
Nets (`lrx.responses.draws`) are larger where a row has more draws.

R rows, D responses, U units.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lrx.core.types import Autoencoder
from lrx.responses.draws import block_sizes, net_size
from lrx.responses.enumeration import enumeration, num_values
from lrx.responses.interventions import band_units, block_responses, row_units
from lrx.responses.long_steps import stream
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measure_matrix import GROUPS, add_draws, is_large
from lrx.responses.measurement import Measurement
from lrx.responses.response_sums import unit_sums
from lrx.responses.work_units import ALL_UNITS, Share, WorkUnit, of_plan

PILOT = 256  # draws of the pilot, and the least of a row: independent ones, or 32 nets
EASY = 0.05  # of the draws of the pilot: a row that needs no more has as many as the pilot, fair where tails are heavy
FAIR = 1024  # draws, at least, of other rows: then few large squares that did not occur are no reason to stop
FIRST = 0.5  # of the draws that the pilot asks for: larger nets than its own may need fewer
MORE = 1.05  # times the draws that an error above the target asks for
LEAST_MORE = 0.1  # of the draws of a row, so that rows come to their targets in few steps
STREAM = 2  # times the most draws of a row, which a stream gives at most: rows that go on later have later draws of it


class Goal(Protocol):
    """Goal of the errors of a matrix. scale: on which it looks at responses."""

    @property
    def scale(self) -> str:
        """Return one of `lrx.responses.matrix.SCALES`."""
        ...

    def excess(self, matrix: ResponseMatrix) -> Tensor:
        """Return the draws that each row needs over those it has, (R,)."""
        ...


@dataclass(frozen=True)
class Target:
    """Largest standard error that is wanted: as it is, as a share of the largest response, or both; on a scale."""

    se: float | None
    relative_se: float | None
    scale: str

    def excess(self, matrix: ResponseMatrix) -> Tensor:
        """Return the largest (standard error / target)^2 of each row, (R,): the draws that it needs over those it has.

        An infinite entry, which no number of draws makes finite, does not count.
        """
        matrix_RD, se_RD = matrix.on_scale(self.scale)
        finite_RD = matrix_RD.isfinite()
        largest = float(torch.where(finite_RD, matrix_RD, 0.0).max())
        limits = (self.se, None if self.relative_se is None else self.relative_se * largest)
        limit = min((limit for limit in limits if limit is not None), default=math.inf)
        return torch.where(finite_RD & (se_RD > 0), (se_RD / limit).square(), 0.0).amax(1)

    def reached(self, matrix: ResponseMatrix) -> bool:
        """Return whether no standard error is above the target."""
        return bool((self.excess(matrix) <= 1).all() and matrix.on_scale(self.scale)[0].isfinite().all())


def net_sizes(num_pilot: int, max_samples: int, *, quasi: bool) -> list[int]:
    """Return the sizes of nets that rows have, in order: of the least draws, and of others; 1 is independent."""
    return sorted({net_size(draws) if quasi else 1 for draws in (num_pilot, max(num_pilot, min(max_samples, FAIR)))})


def measure_to_target(
    m: Measurement,
    *,
    base: str,
    target: Goal,
    num_pilot: int,
    max_samples: int,
    quasi: bool,
    num_groups: int = 0,
    autoencoder: Autoencoder | None = None,
) -> ResponseMatrix:
    """Measure all rows of the response matrix until the target is reached, or max_samples draws are used up.

    num_pilot: draws of the pilot, and the least of a row. quasi: whether draws are nets where there are enough.
    base, num_groups, autoencoder: as in `lrx.responses.measure_matrix`, and its errors.
    Of shards, each computes the pilot, all together the first part, and who joins them what follows.
    """
    alone, with_std = dataclasses.replace(m, share=ALL_UNITS), target.scale == "std"
    net, *_ = nets = net_sizes(num_pilot, max_samples, quasi=quasi)
    empty = functools.partial(ResponseMatrix, range(len(m.units)), m.units, base=base, with_std=with_std)
    count = -(-num_pilot // net) * net
    pilot = add_draws(alone, empty(net=net), num_samples=count, autoencoder=autoencoder, long_steps=True)
    draws_R = first_draws(pilot, target, num_pilot, max_samples)
    net_R = [nets[-1] if draws > num_pilot else net for draws in draws_R.tolist()]
    matrix = empty(net=net_R, num_groups=min(num_groups, GROUPS))
    matrix.num_pilot, matrix.num_pilot_responses = pilot.num_samples, pilot.num_responses
    matrix.values = enumeration(m, base=base, num_samples=max_samples)
    Rows(m, matrix, pilot.mean_response(), autoencoder or m.autoencoder, max_samples).sample(draws_R, target)
    return matrix


def first_draws(pilot: ResponseMatrix, target: Goal, least: int, most: int) -> Tensor:
    """Return the first number of draws of each row, int64 (R,), by the errors of a pilot."""
    excess_R = target.excess(pilot)
    needed_R = (FIRST * pilot.num_draws * excess_R).clamp(min=max(least, FAIR))
    return torch.where(excess_R > EASY, needed_R, least).clamp(max=most).ceil().long()


class Rows:
    """Rows of a matrix, each with the draws of one stream: that of its size of net.

    centre: near h(z), (D,).
    """

    def __init__(
        self, m: Measurement, matrix: ResponseMatrix, centre_D: Tensor, autoencoder: Autoencoder, max_samples: int
    ) -> None:
        self.matrix, self.share, self._m, self._centre_D, self._autoencoder = matrix, m.share, m, centre_D, autoencoder
        self._sizes = block_sizes(m, matrix.base)
        self.limits(max_samples)
        self._streams = {net: stream(m, matrix, net=net, long_steps=True) for net in self._left}
        self._done = matrix.num_pilot_responses

    def limits(self, max_samples: int) -> None:
        """Set the most draws of each row and of each stream, in whole nets."""
        self._nets = self.matrix.net_R.tolist()
        self._most_R = -(-max_samples // self.matrix.net_R) * self.matrix.net_R
        self._left = {net: STREAM * -(-max_samples // net) * net for net in sorted(set(self._nets))}

    def sample(self, draws_R: Tensor, target: Goal) -> None:
        """Add so many draws to each row, by the share of the measurement, and then those that are lacking."""
        self.add(self.in_blocks(draws_R), self.share)
        while (more_R := self.more(target)).any():
            self.add(more_R, ALL_UNITS)

    def more(self, target: Goal) -> Tensor:
        """Return how many more draws each row needs, (R,): 0 where its errors are below the target, or none is left."""
        excess_R, drawn_R = target.excess(self.matrix), self.matrix.num_draws
        needed_R = ((MORE * excess_R - 1) * drawn_R).clamp(min=LEAST_MORE * drawn_R)
        return torch.where(excess_R > 1, self.in_blocks(needed_R), 0)

    def in_blocks(self, draws_R: Tensor) -> Tensor:
        """Return draws, int64 (R,), in whose blocks there are at least so many; less where less is left."""
        least, most = self._sizes
        left_R = torch.minimum(self._most_R - self.matrix.num_draws, torch.tensor([self._left[n] for n in self._nets]))
        return torch.minimum((draws_R.double() / least).ceil() * most, left_R).long()

    def add(self, draws_R: Tensor, share: Share) -> None:
        """Add so many draws to each row, or up to a block less where another row of its stream has more."""
        matrix, passes, draws = self.matrix, num_values(self.matrix.values), draws_R.tolist()
        most_first = sorted((place for place, number in enumerate(draws) if number), key=lambda place: -draws[place])
        orders = {net: [place for place in most_first if self._nets[place] == net] for net in self._left}
        orders = {net: order for net, order in orders.items() if order}
        total = sum(draws) * passes + sum(draws[order[0]] for order in orders.values())
        work = (
            dataclasses.replace(unit, key=(net, *unit.key))
            for net, order in orders.items()
            for unit in self._units(net, order, [draws[place] for place in order], in_bands=share is not ALL_UNITS)
        )
        progress = self._progress(total)
        for (_, net, _, first), values in share.values(of_plan(draws, work), total=total, progress=progress):
            matrix.add(orders[net][first : first + len(values[0])], values)
        self._done += total

    def _units(self, net: int, order: list[int], draws: list[int], *, in_bands: bool) -> Iterator[WorkUnit]:
        """Return the work of the rows at these places, which have so many draws of a stream, most first."""
        matrix = self.matrix
        self._left[net] -= draws[0]
        drawn = block_responses(
            self._autoencoder,
            self._streams[net],
            rows=[matrix.rows[place] for place in order],
            units=matrix.units,
            num_samples=draws,
            batch_size=self._m.batch_size,
        )
        sums = functools.partial(
            unit_sums,
            net=net,
            num_groups=len(matrix.counts_GR),
            num_samples=None,
            with_std=matrix.with_std,
            centre_D=self._centre_D,
        )
        if in_bands and is_large(matrix.products_RDTT.numel()):
            return band_units(drawn, sums, matrix.total)
        return row_units(drawn, sums)

    def _progress(self, total: int) -> Callable[[int], None]:
        done, progress = self._done, self._m.progress
        return lambda now: progress(done + now, done + total)
