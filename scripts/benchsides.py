"""Sides of a benchmark, each in a process of its own, measured in turns, so that noise of the machine affects all."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch

from lrx.core.malloc import keep_freed_memory


class Turns:
    """Turns of a side: iteration waits for a turn, and the time until the next iteration is its duration.

    found: the result of a turn, set within it; no tensor, because it is pickled.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.found: object = None

    def __iter__(self) -> Iterator[int]:
        self._pipe.send("ready")
        while (turn := self._pipe.recv()) is not None:
            self.found, began = None, time.perf_counter()
            yield turn
            self._pipe.send((time.perf_counter() - began, self.found))


@dataclass(frozen=True)
class Side:
    """One implementation of the work.

    run: prepares, warms up, and then does the work once per turn; it must be picklable.
    keep_memory: whether the process has the allocator setting of `lrx`.
    """

    name: str
    run: Callable[[Turns], None]
    keep_memory: bool = True


@dataclass
class Measured:
    """Seconds and results of a side, by turn."""

    seconds: list[float] = field(default_factory=list)
    found: list[object] = field(default_factory=list)


class Spread(NamedTuple):
    """Median, minimum and maximum."""

    median: float
    least: float
    most: float

    def scaled(self, factor: float) -> Spread:
        return Spread(factor * self.median, factor * self.least, factor * self.most)


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def ratio(slow: Measured, fast: Measured) -> Spread:
    """Return the ratio of times, turn by turn, so that noise common to both cancels."""
    return spread([a / b for a, b in zip(slow.seconds, fast.seconds, strict=True)])


def in_turns(sides: Sequence[Side], *, turns: int, threads: int) -> dict[str, Measured]:
    """Run every side once per turn, and return measurements by name; turns start when all sides have warmed up."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for side in sides:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(side, theirs, threads), daemon=True)
        process.start()
        theirs.close()  # so that the failure of a process is noticed
        pipes.append(ours)
        processes.append(process)
    for pipe in pipes:
        assert pipe.recv() == "ready"
    measured = {side.name: Measured() for side in sides}
    for turn in range(turns):
        for side, pipe in zip(sides, pipes, strict=True):
            pipe.send(turn)
            seconds, found = pipe.recv()
            measured[side.name].seconds.append(seconds)
            measured[side.name].found.append(found)
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(None)
        process.join()
    return measured


def _work(side: Side, pipe: Connection, threads: int) -> None:
    if side.keep_memory:
        keep_freed_memory()
    torch.set_num_threads(threads)
    side.run(Turns(pipe))
