"""Work units: all of an assay's responses in one process, or a share of them in each of several, with the same sums.

An assay hands out its units in a fixed order, draws random numbers only while it does so (a unit that has draws of its
own gets a seed), and adds up what units give in that order. So it does not matter which process evaluates a unit: a
process that evaluates a share draws what the others draw, and one that is handed all values adds as one that evaluated
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

from torch import Tensor

Key = tuple[int, ...]
Values = tuple[Tensor, ...]


@dataclass(frozen=True)
class WorkUnit:
    """Unit of work: its key among all units, its number of responses, and the function that gives its CPU tensors."""

    key: Key
    responses: int
    evaluate: Callable[[], Values]


class Share(Protocol):
    """Units that a process evaluates."""

    def values(
        self, units: Iterable[WorkUnit], *, total: int, progress: Callable[[int], None]
    ) -> Iterator[tuple[Key, Values]]:
        """Yield keys and values of the units in their order, of `total` responses; progress(responses computed)."""
        ...


class AllUnits:
    """Share of a process that works alone: every unit, evaluated when its value is asked for."""

    def values(
        self, units: Iterable[WorkUnit], *, total: int, progress: Callable[[int], None]
    ) -> Iterator[tuple[Key, Values]]:
        """See Share."""
        done = 0
        for unit in units:
            values = unit.evaluate()
            done += unit.responses
            progress(done)
            yield unit.key, values


ALL_UNITS = AllUnits()


class ShardDone(Exception):
    """All units of a shard are evaluated; without those of the other shards there is no result."""


class Shard:
    """Share `number` (from 1) of `count`: consecutive units with that part of the responses.

    values_by_key: their values, once evaluated. Where there are fewer units than shards, some shards have none.
    """

    def __init__(self, number: int, count: int) -> None:
        self.number, self.count = number, count
        self.values_by_key: dict[Key, Values] = {}

    def values(self, units: Iterable[WorkUnit], *, total: int, progress: Callable[[int], None]) -> NoReturn:
        """Evaluate the units that begin within the share, in units of responses; raise ShardDone at the end."""
        start = done = 0
        for unit in units:
            if start * self.count // total == self.number - 1:
                self.values_by_key[unit.key] = unit.evaluate()
                done += unit.responses
                progress(min(done * self.count, total))
            start += unit.responses
        raise ShardDone


class StoredUnits:
    """Share of a process that evaluates nothing: `find` gives the values of each key."""

    def __init__(self, find: Callable[[Key], Values]) -> None:
        self._find = find

    def values(
        self, units: Iterable[WorkUnit], *, total: int, progress: Callable[[int], None]
    ) -> Iterator[tuple[Key, Values]]:
        """See Share."""
        done = 0
        for unit in units:
            done += unit.responses
            progress(done)
            yield unit.key, self._find(unit.key)
