"""Work units: all of an assay's responses in one process, or a share of them in each of several, with the same sums.

An assay hands out its units in a fixed order, draws random numbers only while it does so (a unit that has draws of its
own gets a seed), and adds up what units give in that order. So it does not matter which process evaluates a unit: a
process that evaluates a share draws what the others draw, and one that is handed all values adds as one that evaluated
them.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NoReturn, Protocol

from torch import Tensor

from lrx.core.progress import passes_shown

Key = tuple[int, ...]
Values = tuple[Tensor, ...]


@dataclass(frozen=True)
class WorkUnit:
    """Unit of work: its key among all units, its number of responses, and the function that gives its CPU tensors."""

    key: Key
    responses: int
    evaluate: Callable[[], Values]


def of_plan(plan: object, units: Iterable[WorkUnit]) -> Iterator[WorkUnit]:
    """Yield units whose keys begin with a checksum of a plan, as of numbers of draws that a pilot found.

    So the units of shards that found another plan, as machines of two kinds may, are not taken for those of this one.
    """
    checksum = zlib.crc32(repr(plan).encode())
    return (dataclasses.replace(unit, key=(checksum, *unit.key)) for unit in units)


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
            with _passes_shown(unit, done, total, progress):
                values = unit.evaluate()
            done += unit.responses
            progress(done)
            yield unit.key, values


ALL_UNITS = AllUnits()


def _passes_shown(
    unit: WorkUnit, done: int, total: int, progress: Callable[[int], None]
) -> AbstractContextManager[None]:
    """Report the passes within a unit, which may take minutes, as responses after those that are done."""
    return passes_shown(lambda seen, _: progress(seen), total, done=done, most=done + unit.responses)


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

        def share_done(responses: int) -> None:
            progress(min(responses * self.count, total))

        start = done = 0
        for unit in units:
            if start * self.count // total == self.number - 1:
                with _passes_shown(unit, done, total, share_done):
                    self.values_by_key[unit.key] = unit.evaluate()
                done += unit.responses
                share_done(done)
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
