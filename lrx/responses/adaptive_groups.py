"""Conditioned responses to a target of their standard errors, with as many groups for each factor as its own need.

As with rows of the response matrix (`lrx.responses.adaptive`): a pilot of few groups for all factors decides, and is no
part of the estimate; other groups of the same random order measure, first a part of what the pilot asks for, then, for
factors whose errors are still above the target, what these ask for. Where that is all of a grid, its pilot counts too:
the matrix of the grid is then exact, and no choice of groups matters.

G groups, D latents. The variance of a mean over G of the N groups of a grid, drawn without replacement, falls as
1 / G - 1 / N (Cochran 1977, chapter 2).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lrx.responses.adaptive import LEAST_MORE, MORE
from lrx.responses.conditioned import GroupResponses, combine, factors_of, group_order, num_responses, units_of_groups
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import ALL_UNITS, Share, Values, of_plan

PILOT = 16  # groups of the pilot, and the least of a factor
EASY = 0.25  # of the groups of the pilot: a factor that needs no more has as many as the pilot
FAIR = 32  # groups, at least, of a factor that needs more than a few
FIRST = 0.7  # of the groups that the pilot asks for
BELOW = 0.93  # of the target: errors by bootstrap, which are shown, differ from these by some percent


@dataclass(frozen=True)
class GroupTarget:
    """Largest standard error that is wanted: as it is, as a share of the largest response, or both."""

    se: float | None
    relative_se: float | None
    reduction: str

    def limit(self, largest: float) -> float:
        """Return the largest error that is wanted where the largest response is this."""
        limits = (self.se, None if self.relative_se is None else self.relative_se * largest)
        return min((limit for limit in limits if limit is not None), default=math.inf)

    def excess(self, measured: Mapping[int, GroupResponses]) -> dict[int, float]:
        """Return the largest (standard error / target)^2 of each factor."""
        matrices = {factor: mean_and_error(groups, self.reduction) for factor, groups in measured.items()}
        limit = BELOW * self.limit(max(float(mean_D.max()) for mean_D, _ in matrices.values()))
        return {
            factor: float(torch.where(se_D > 0, (se_D / limit).square(), 0.0).max())
            for factor, (_, se_D) in matrices.items()
        }


def mean_and_error(groups: GroupResponses, reduction: str) -> tuple[Tensor, Tensor]:
    """Return the conditioned responses (D,) to a factor and their standard errors (D,)."""
    pooled = reduction == "pooled"
    values_GD, variance_GD = (groups.mean_square_GD, groups.variance_GD) if pooled else groups.rms()
    number, share = len(values_GD), len(values_GD) / groups.num_groups
    mean_D = values_GD.mean(0)
    spread_D = (1 - share) * values_GD.var(0) if share < 1 else torch.zeros_like(mean_D)
    se_D = ((spread_D + share * variance_GD.mean(0)) / number).sqrt()
    if not pooled:
        return mean_D, se_D
    return mean_D.sqrt(), torch.where(mean_D > 0, se_D / (2 * mean_D.sqrt()), 0.0)


@dataclass
class Groups:
    """Groups of one factor: their order, the values that were measured, and how many of the order are taken."""

    order: Tensor
    values: list[Values] = field(default_factory=list)
    pilot: list[Values] = field(default_factory=list)  # that is dropped
    start: int = 0
    taken: int = 0

    def needed(self, excess: float) -> int:
        """Return how many groups bring the error of those that are measured to its target."""
        measured = self.taken - self.start or self.taken
        all_, own = 1 / len(self.order), 1 / measured
        return math.ceil(1 / (all_ + (own - all_) / excess)) if excess else 0


class Factors:
    """Factors whose groups are measured. responses: of the pilot, which count."""

    def __init__(self, m: Measurement, factors: Sequence[int], *, max_pairs: int, max_groups: int) -> None:
        self._m, self._max_pairs, self._max_groups = m, max_pairs, max_groups
        self.of = {factor: Groups(group_order(m, factor)) for factor in factors}
        self.pilot_responses = self._done = 0

    def measured(self) -> dict[int, GroupResponses]:
        """Return what was measured of each factor, with the pilot where nothing else is left."""
        return {
            factor: combine(factors_of(self._m), factor, own.values or own.pilot, max_pairs=self._max_pairs)
            for factor, own in self.of.items()
        }

    def sample(self, num_pilot: int, target: GroupTarget, share: Share) -> dict[int, GroupResponses]:
        """Measure a pilot, then groups until the target is reached; the share has its part of the first of these."""
        self.add(dict.fromkeys(self.of, num_pilot), ALL_UNITS)
        pilot = self.measured()
        self.pilot_responses = sum(groups.num_responses for groups in pilot.values())
        excess, first = target.excess(pilot), {}
        for factor, own in self.of.items():
            first[factor] = num_pilot
            if excess[factor] > EASY:
                first[factor] = max(math.ceil(FIRST * own.needed(excess[factor])), FAIR, num_pilot)
            first[factor] = min(first[factor], self._max_groups)
            own.start, own.pilot, own.values = own.taken, own.values, []
            if own.taken + first[factor] >= len(own.order):
                first[factor] = len(own.order) - own.taken
        self.add(first, share)
        while any((more := self._more(target)).values()):
            self.add(more, ALL_UNITS)
        for factor, own in self.of.items():
            if own.taken == len(own.order):  # the whole grid, and no sample that something decided
                own.values, own.start = own.pilot + own.values, 0
                self.pilot_responses -= pilot[factor].num_responses
        return self.measured()

    def _more(self, target: GroupTarget) -> dict[int, int]:
        """Return how many more groups each factor needs, 0 where its errors are below the target or none is left."""
        more, excess = {}, target.excess(self.measured())
        for factor, own in self.of.items():
            measured = own.taken - own.start or own.taken
            needed = own.needed(MORE * excess[factor]) - measured
            left = min(len(own.order) - own.taken, max(0, self._max_groups - measured))
            more[factor] = min(max(needed, math.ceil(LEAST_MORE * measured)), left) if excess[factor] > 1 else 0
        return more

    def add(self, number: Mapping[int, int], share: Share) -> None:
        """Measure so many further groups of each factor."""
        m, done, limits, total, work = self._m, self._done, {"max_pairs": self._max_pairs}, 0, []
        for factor, count in number.items():
            own = self.of[factor]
            chosen = own.order[own.taken : own.taken + count]
            if len(chosen):
                work.append(units_of_groups(m, factor, chosen, first=own.taken, **limits))
                total += num_responses(factors_of(m), factor, len(m.units), num_groups=len(chosen), **limits)
                own.taken += len(chosen)
        self._done += total

        def progress(now: int) -> None:
            m.progress(done + now, done + total)

        # also without work, where the pilot was the whole grid: a shard ends here
        units = of_plan(list(number.values()), itertools.chain(*work))
        for (_, factor, _), values in share.values(units, total=total, progress=progress):
            self.of[factor].values.append(values)
