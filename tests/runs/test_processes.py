"""Maps over many files: by several processes, and within one that may start no others."""

from __future__ import annotations

import multiprocessing
import os

from lrx.core.threads import cpus
from lrx.runs.processes import MANY, map_for


def process_ids(num_files: int) -> set[int]:
    """Return the processes that work on so many files."""
    with map_for(num_files) as each:
        return set(each(_process_id, range(4)))


def _process_id(item: int) -> int:
    return os.getpid()


def test_many_files_take_other_processes() -> None:
    assert process_ids(MANY - 1) == {os.getpid()}
    assert (os.getpid() in process_ids(MANY)) == (cpus() == 1)


def test_pool_worker_reads_many_files_itself() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        worker = pool.apply(os.getpid)
        assert pool.apply(process_ids, (MANY,)) == {worker}
