"""Work in pieces: all of them in one process, or a share of them in each of several, with the very same sums.

An assay hands out its pieces in a fixed order, draws random numbers only while it does so (a piece that has draws of
its own gets a seed), and adds up what pieces give in that order. So it does not matter who evaluates a piece: a process
that evaluates a share draws what the others draw, and one that is handed all values adds as one that evaluated them.
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
    """A piece of work: its key among all pieces, how many responses it takes, and what gives its tensors (CPU)."""

    key: Key
    responses: int
    evaluate: Callable[[], Values]


class Share(Protocol):
    """Who evaluates the pieces of an assay."""

    def values(
        self, pieces: Iterable[WorkUnit], *, total: int, progress: Callable[[int], None]
    ) -> Iterator[tuple[Key, Values]]:
        """Keys and values of the pieces in their order, `total` responses; progress hears of the responses done."""
        ...


class AllUnits:
    """The share of a process that is alone: every piece, evaluated when its value is asked for."""

    def values(
        self, pieces: Iterable[WorkUnit], *, total: int, progress: Callable[[int], None]
    ) -> Iterator[tuple[Key, Values]]:
        """See Share."""
        done = 0
        for piece in pieces:
            found = piece.evaluate()
            done += piece.responses
            progress(done)
            yield piece.key, found


ALL_UNITS = AllUnits()


class ShardDone(Exception):
    """The pieces of a shard are evaluated; without the others' there is no result."""


class Shard:
    """The share `number` (from 1) of `count`: a run of pieces with its part of the responses; `found` has their values.

    Where there are fewer pieces than shards, some shards have none.
    """

    def __init__(self, number: int, count: int) -> None:
        self.number, self.count = number, count
        self.found: dict[Key, Values] = {}

    def values(self, pieces: Iterable[WorkUnit], *, total: int, progress: Callable[[int], None]) -> NoReturn:
        """Evaluate the pieces that begin within the share, in units of responses; ShardDone when that is done."""
        start = done = 0
        for piece in pieces:
            if start * self.count // total == self.number - 1:
                self.found[piece.key] = piece.evaluate()
                done += piece.responses
                progress(min(done * self.count, total))
            start += piece.responses
        raise ShardDone


class StoredUnits:
    """The share of a process that evaluates nothing: `find` gives the values of each key."""

    def __init__(self, find: Callable[[Key], Values]) -> None:
        self._find = find

    def values(
        self, pieces: Iterable[WorkUnit], *, total: int, progress: Callable[[int], None]
    ) -> Iterator[tuple[Key, Values]]:
        """See Share."""
        done = 0
        for piece in pieces:
            done += piece.responses
            progress(done)
            yield piece.key, self._find(piece.key)
