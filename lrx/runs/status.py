"""State of a run, in `status.json` of its folder: process, progress and outcome.

`status.json` is written atomically: `queued` by a launcher, `running` repeatedly, at the end `done` or `failed`. The
process that works in a folder holds a lock on `.lock`, which the kernel releases when it dies. A run whose file says
`running` without a lock was interrupted (killed, preempted, timed out); the same command resumes it.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from lrx.storage.atomic import atomic_path
from lrx.storage.lock import flock, is_held, is_open_at

FILENAME, LOCK = "status.json", ".lock"
STATES = ("queued", "running", "interrupted", "failed", "done")
UNKNOWN = "unknown"  # the state of a run whose folder does not say it
LOCK_TIMEOUT = 1.0  # seconds; `is_locked` holds the lock for a moment


@dataclass(frozen=True)
class Status:
    """State of a run, one of STATES.

    command, overrides: as typed. config: run_folder.fingerprint of the config. inputs: SHA-256 of input files by name.
    step, steps, rate (steps a second), seconds_left: progress. error: one line of a failed run.
    host, pid, threads, job: process that works or worked on it, and torch's threads in it; job: the scheduler's id.
    """

    state: str
    command: str = ""
    overrides: tuple[str, ...] = ()
    config: str = ""
    inputs: Mapping[str, str] | None = None
    step: int = 0
    steps: int = 0
    rate: float = 0.0
    seconds_left: float = 0.0
    error: str = ""
    host: str = ""
    pid: int = 0
    threads: int = 0
    job: str = ""


NAMES = tuple(field.name for field in fields(Status))


class BusyError(ValueError):
    """Another process works in the folder."""


def read(folder: Path) -> Status | None:
    """Return the status of a run folder now; None where there is none, or none that lrx wrote."""
    try:
        with open(os.path.join(folder, FILENAME), "rb", buffering=0) as file:  # pathlib's takes three times as long
            content = json.loads(file.read())
        values = {name: content[name] for name in NAMES if name in content}
        status = Status(**{**values, "overrides": tuple(values.get("overrides", ()))})
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if not _is_valid(status):
        return None
    if status.state == "running" and not is_locked(folder):
        return replace(status, state="interrupted")
    return status


def _is_valid(status: Status) -> bool:
    """Return whether each field is of its type: a file may hold anything."""
    texts = (status.command, *status.overrides, status.config, status.error, status.host, status.job)
    numbers = (status.step, status.steps, status.rate, status.seconds_left, status.threads)
    return (
        status.state in STATES
        and {*map(type, texts)} <= {str}
        and all(isinstance(number, int | float) and abs(number) < 2**63 for number in numbers)
        and (status.inputs is None or isinstance(status.inputs, Mapping))
    )


def write(folder: Path, status: Status) -> None:
    """Replace the status of a run folder."""
    with atomic_path(folder / FILENAME) as beside:
        beside.write_text(json.dumps(asdict(status), indent=1) + "\n", encoding="utf-8")


def finished(folder: Path, config: str, inputs: Mapping[str, str] | None = None) -> bool:
    """Return whether the run of this config (run_folder.fingerprint) and these inputs is done in this folder."""
    return is_finished(read(folder), config, inputs or {})


def is_finished(status: Status | None, config: str, inputs: Mapping[str, str]) -> bool:
    """Return whether a status says that the run of this config and these inputs is done."""
    is_done = status is not None and status.state == "done"
    return status is not None and is_done and status.config == config and dict(status.inputs or {}) == dict(inputs)


def scheduler_job(environment: Mapping[str, str]) -> str:
    """Return the id that the scheduler gave the job of this process; empty outside of one."""
    job = environment.get("SLURM_ARRAY_JOB_ID") or environment.get("SLURM_JOB_ID", "")
    task = environment.get("SLURM_ARRAY_TASK_ID")
    return f"{job}_{task}" if job and task is not None else job


def remove_refused(folder: Path) -> None:
    """Remove the folder of a run that was refused: it failed before its first step, and left its state alone."""
    before = read(folder)
    if before is None or before.state != "failed" or before.steps:
        return
    with suppress(BusyError), lock(folder):
        # another process may have begun here since
        if read(folder) == before and {path.name for path in folder.iterdir()} <= {FILENAME, LOCK}:
            for name in (FILENAME, LOCK):
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()


def is_locked(folder: Path) -> bool:
    """Return whether a live process holds the folder's lock."""
    return is_held(folder / LOCK)


class Session:
    """Run in progress, whose status can be updated."""

    def __init__(self, folder: Path, status: Status) -> None:
        self._folder, self.status = folder, status

    def update(self, **changes: object) -> None:
        """Write a changed status, as in update(step=100, rate=3.5)."""
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        write(self._folder, self.status)


@contextmanager
def run_session(
    folder: Path,
    *,
    command: str,
    overrides: tuple[str, ...],
    config: str,
    inputs: Mapping[str, str] | None = None,
    threads: int = 0,
    check: Callable[[], None] | None = None,
) -> Iterator[Session]:
    """Lock the run folder for the block and record the outcome: `running`, then `done`, or `failed` with the error.

    A KeyboardInterrupt or a signal leaves `running`, which then reads as `interrupted`. config: run_folder.fingerprint.
    threads: of torch, 0 for a run without it. check: called with the lock, before a status is replaced.
    BusyError (a ValueError) when another process works in the folder.
    """
    with lock(folder):
        if check is not None:
            check()
        status = Status(
            "running",
            command,
            overrides,
            config,
            inputs,
            host=socket.gethostname(),
            pid=os.getpid(),
            threads=threads,
            job=scheduler_job(os.environ),
        )
        write(folder, status)
        work = Session(folder, status)
        try:
            yield work
        except Exception as error:
            line = traceback.format_exception_only(error)[-1].strip()
            work.update(state="failed", error=str(error) if isinstance(error, ValueError | OSError) else line)
            raise
        work.update(state="done", seconds_left=0.0)


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Lock a run folder for the block, and make it if need be. BusyError when another process holds the lock."""
    descriptor = _acquire(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire(folder: Path) -> int:
    """Return the descriptor of the locked file; closing it releases the lock."""
    deadline, path = time.monotonic() + LOCK_TIMEOUT, folder / LOCK
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            stack.callback(os.close, descriptor)
            try:
                flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, path)
                if is_open_at(descriptor, path):  # else its holder has removed the folder, and others lock another file
                    stack.pop_all()
                    return descriptor
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    owner = read(folder)
                    who = f" by process {owner.pid} on {owner.host}" if owner else ""
                    raise BusyError(f"{folder} is being worked on{who}; wait for it, or give another name=") from error
        time.sleep(0.05)
