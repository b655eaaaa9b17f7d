"""Scans of the results files of many runs, by several processes: HDF5 works for one thread of a process at a time."""

from __future__ import annotations

import functools
import multiprocessing
import signal
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from lrx.core.text import one_line
from lrx.core.threads import cpus
from lrx.runs.run_files import check_file
from lrx.storage.result_scan import COMPARED, ScannedAssay, scan

MANY = 1000  # files from which processes are worth the half second that each takes to start
AT_ONCE = 32  # files that a process is given together
MOST_PROCESSES = 8


@dataclass(frozen=True)
class FileScan:
    """Content of a results file: see `lrx.storage.result_scan.scan`. error: why it cannot be read; empty: it can."""

    assays: dict[str, ScannedAssay]
    provenance: dict[str, str | int | float]
    foreign: list[str]
    error: str = ""


def scan_files(
    files: Sequence[Path], top: Path | None = None, *, large: Set[tuple[str, str]] = COMPARED
) -> Iterator[FileScan]:
    """Yield the scan of each file, in order.

    top: the tree that links may not leave; None: the folder of each file. large: as of `scan`.
    """
    scan_one = functools.partial(scan_file, top=top, large=large)
    count = min(cpus(), MOST_PROCESSES) if len(files) >= MANY else 1
    if count == 1:
        yield from map(scan_one, files)
        return
    pool = ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)
    )
    try:
        yield from pool.map(scan_one, files, chunksize=AT_ONCE)
    except BrokenProcessPool as error:
        raise ValueError("a process that read results files was killed, or was out of memory") from error
    finally:
        pool.shutdown(cancel_futures=True)


def scan_file(file: Path, *, top: Path | None, large: Set[tuple[str, str]]) -> FileScan:
    """Return the scan of a file, without assays where it cannot be read."""
    foreign: list[str] = []
    try:
        check_file(file, file.parent if top is None else top)
        return FileScan(*scan(file, foreign, large=large), foreign)
    except (ValueError, OSError) as error:
        return FileScan({}, {}, foreign, one_line(str(error)))
