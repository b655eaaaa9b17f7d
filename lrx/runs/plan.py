"""Plan of a sweep, in `plan.json` of its folder: the runs that its commands asked for, whether they have begun or not.

A launcher writes it before the first job, holds a lock while it works, and writes at its end which runs have begun. A
run of the plan that has no folder is queued while a launcher works; else it is missing, or deleted where it had begun.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lrx.runs import status
from lrx.runs.sweep_folder import mark
from lrx.storage.atomic import atomic_path
from lrx.storage.lock import exclusive_lock, flock, is_held

FILENAME, LOCK = "plan.json", ".plan.lock"
QUEUED, MISSING, DELETED = "queued", "missing", "deleted"
REASONS = {
    MISSING: "not started; the same command starts it",
    DELETED: "its folder was removed; the same command makes it again",
}
LARGEST = 2**26  # bytes of a plan
SHARD = re.compile(r"(?:([^/.][^/]*)/)?\d+of\d+")  # the folder of a part of an assay, in that of the whole
NAME = re.compile(r"[^/.][^/]*(/\d+of\d+)?")  # of a run's folder below that of the sweep


@dataclass(frozen=True)
class Planned:
    """Run that a sweep has, or will have. begun: whether it had a folder when its last launcher ended."""

    command: str
    overrides: tuple[str, ...]
    begun: bool = False


def read(sweep: Path) -> dict[str, Planned]:
    """Return the planned runs of a sweep by the names of their folders; none of a file that is damaged or foreign."""
    path = sweep / FILENAME
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            return {}
        content = json.loads(path.read_bytes())["runs"]
        runs = {
            name: Planned(run["command"], tuple(run["overrides"]), bool(run["begun"])) for name, run in content.items()
        }
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}
    texts = {type(text) for name, run in runs.items() for text in (name, run.command, *run.overrides)}
    return runs if texts <= {str} and all(map(NAME.fullmatch, runs)) else {}


@contextmanager
def launcher(sweep: Path, runs: Mapping[str, Planned]) -> Iterator[None]:
    """Add runs to the plan of a sweep, and hold its lock for the block; then note which of them have begun."""
    sweep.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(sweep / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        flock(descriptor, fcntl.LOCK_SH, sweep / LOCK)  # several launchers may work in one sweep
        _update(sweep, runs)
        try:
            yield
        finally:
            if (sweep / FILENAME).exists():  # not where the sweep was refused as a whole, and removed
                _update(sweep, runs)
    finally:
        os.close(descriptor)


def forget(sweep: Path, names: Collection[str]) -> None:
    """Remove runs from the plan of a sweep."""
    if read(sweep).keys() & {*names}:
        with exclusive_lock(sweep / FILENAME, num_bytes=0):
            _write(sweep, {name: run for name, run in read(sweep).items() if name not in names})


def pending(sweep: Path, present: Mapping[str, Sequence[str]], joined: Collection[str]) -> dict[str, status.Status]:
    """Return the status of the planned runs of a sweep that have no folder, by the names that it would have.

    present: overrides of the runs that are there, by name. joined: names of assays (`.`: the sweep's folder) whose
    shards were joined.
    """
    planned = {name: run for name, run in read(sweep).items() if name not in present}
    renamed = {mark(overrides) for overrides in present.values() if overrides} if planned else set()
    launching = is_launching(sweep)
    statuses = {}
    for name, run in planned.items():
        shard = SHARD.fullmatch(name)
        if (shard[1] or ".") in joined if shard else mark(run.overrides) in renamed:
            continue
        state = QUEUED if launching else DELETED if run.begun else MISSING
        statuses[name] = status.Status(state, run.command, run.overrides)
    return statuses


def is_launching(sweep: Path) -> bool:
    """Return whether a launcher works in a sweep."""
    return is_held(sweep / LOCK, shared=True)


def _update(sweep: Path, runs: Mapping[str, Planned]) -> None:
    now = {name: replace(run, begun=(sweep / name / status.FILENAME).exists()) for name, run in runs.items()}
    with exclusive_lock(sweep / FILENAME, num_bytes=0):  # another launcher may add its own runs at the same moment
        before = read(sweep)
        if before != before | now:
            _write(sweep, before | now)


def _write(sweep: Path, runs: Mapping[str, Planned]) -> None:
    with atomic_path(sweep / FILENAME) as beside:
        beside.write_text(json.dumps({"runs": {name: asdict(run) for name, run in runs.items()}}, indent=0), "utf-8")
