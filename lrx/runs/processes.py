"""Work on the files of thousands of runs by several processes, as HDF5 works for one thread of a process at a time."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Protocol, TypeVar

from lrx.core.threads import cpus

MANY = 1000  # files from which processes are worth the half second that each takes to start
MOST_PROCESSES = 8
FOLDERS = 32  # folders of runs that are worth a message to a process
T = TypeVar("T")
R = TypeVar("R")


class Map(Protocol):
    """Function of python's `map`, for a function and items that can be pickled."""

    def __call__(self, function: Callable[[T], R], items: Sequence[T], *, at_once: int = 1) -> Iterable[R]:
        """Return the results in the order of the items. at_once: items that a process is given together."""


def here(function: Callable[[T], R], items: Sequence[T], *, at_once: int = 1) -> Iterator[R]:
    """Map within this process."""
    return map(function, items)


@contextmanager
def map_for(num_files: int) -> Iterator[Map]:
    """Yield a map for work that opens so many files. ValueError after the block when a process ended in it."""
    may_start = not multiprocessing.current_process().daemon  # a process of multiprocessing.Pool may start no others
    count = min(cpus(), MOST_PROCESSES) if num_files >= MANY and may_start else 1
    if count == 1:
        yield here
        return
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin)

    def in_processes(function: Callable[[T], R], items: Sequence[T], *, at_once: int = 1) -> Iterator[R]:
        return pool.map(function, items, chunksize=at_once)

    try:
        yield in_processes
    except BrokenProcessPool as error:
        raise ValueError("a process that read runs ended: it was killed, or was out of memory") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the process that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
