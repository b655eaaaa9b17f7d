"""Observers of a training run: metric files, trackers, progress and status follow it through one interface."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Protocol

Row = Mapping[str, float]


class Observer(Protocol):
    """Follower of one call of `lrx.training.loop.train`, which calls it on rank 0."""

    def start(self, step: int) -> None:
        """Begin, or resume, after `step` finished steps; what an earlier start logged of later steps is void."""
        ...

    def log(self, step: int, row: Row) -> None:
        """Take the scalars of the loss and the learning rate at a step, every `log_every` steps and at the last one."""
        ...

    def step(self, n: int) -> None:
        """Take note that n steps are finished, after their log and checkpoint."""
        ...

    def close(self) -> None:
        """Release what is open; called once, also when training fails, and then perhaps without a start."""
        ...


class Observers:
    """Several observers as one, called in their order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def start(self, step: int) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.start(step)

    def log(self, step: int, row: Row) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.log(step, row)

    def step(self, n: int) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.step(n)

    def close(self) -> None:
        """Close all, the last one first, also where one fails."""
        with ExitStack() as stack:
            for observer in self._observers:
                stack.callback(observer.close)
