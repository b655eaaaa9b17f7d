"""What a run folder says of its run: who works in it now, how far it is, and how it ended.

`status.json` is written atomically: `queued` by a launcher, `running` again and again, and last of all `done` or
`failed`. A process that works in a folder holds a lock on `.lock`, which the system takes from a dead one. So a run
that says `running` and that nobody has locked was interrupted (killed, preempted, timed out); the same command goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from lrx.storage.atomic import atomic_path

FILENAME, LOCK = "status.json", ".lock"
STATES = ("queued", "running", "interrupted", "failed", "done")
PATIENCE = 1.0  # seconds that a lock may be held by someone who only looks


@dataclass(frozen=True)
class Status:
    """The state of a run, one of STATES, and what is known of it.

    command, overrides: as typed. config: SHA-256 of the run's config. inputs: SHA-256 of what it is made from, by name.
    step, steps, rate (steps a second), seconds_left: of a training run. error: one line of a failed one.
    host, pid, job: of the process that works or worked on it; job is the cluster's name for it.
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
    job: str = ""


class BusyError(ValueError):
    """Another process works in the folder."""


def read(folder: Path) -> Status | None:
    """The status of a run folder as it is now, None where there is none or it cannot be read."""
    try:
        content = json.loads((folder / FILENAME).read_text(encoding="utf-8"))
        known = {field.name: content[field.name] for field in fields(Status) if field.name in content}
        status = Status(**{**known, "overrides": tuple(known.get("overrides", ()))})
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if status.state not in STATES:
        return None
    if status.state == "running" and not is_locked(folder):
        return replace(status, state="interrupted")
    return status


def write(folder: Path, status: Status) -> None:
    """Put a status in place of the one before."""
    with atomic_path(folder / FILENAME) as beside:
        beside.write_text(json.dumps(asdict(status), indent=1) + "\n", encoding="utf-8")


def finished(folder: Path, config: str, inputs: Mapping[str, str] | None = None) -> bool:
    """Whether the run of this config (its identity as text) and these inputs is done in this folder."""
    status = read(folder)
    return (
        status is not None
        and status.state == "done"
        and status.config == digest(config)
        and (status.inputs or {}) == dict(inputs or {})
    )


def digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_locked(folder: Path) -> bool:
    """Whether a living process works in this folder."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_NONBLOCK)  # a pipe of that name blocks nobody
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


class Working:
    """A run that is being worked on: its status, to be told how far it is."""

    def __init__(self, folder: Path, status: Status) -> None:
        self._folder, self.status = folder, status

    def tell(self, **changes: object) -> None:
        """Write a changed status, such as tell(step=100, rate=3.5)."""
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        write(self._folder, self.status)


@contextmanager
def working(
    folder: Path, *, command: str, overrides: tuple[str, ...], config: str, inputs: Mapping[str, str] | None = None
) -> Iterator[Working]:
    """Hold the folder's lock for the block; its status is `running`, then `done`, or `failed` with the error's line.

    What stops a process without an error (an interrupt by a person, a signal) leaves `running`, which then reads as
    `interrupted`. Busy, which is a ValueError, when another process works in the folder.
    """
    with held(folder):
        job = next((os.environ[key] for key in ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID") if key in os.environ), "")
        if job and "SLURM_ARRAY_TASK_ID" in os.environ:
            job += f"_{os.environ['SLURM_ARRAY_TASK_ID']}"
        status = Status(
            "running",
            command,
            overrides,
            digest(config),
            inputs,
            host=socket.gethostname(),
            pid=os.getpid(),
            job=job,
        )
        write(folder, status)
        work = Working(folder, status)
        try:
            yield work
        except Exception as error:
            line = traceback.format_exception_only(error)[-1].strip()
            work.tell(state="failed", error=str(error) if isinstance(error, ValueError | OSError) else line)
            raise
        work.tell(state="done", seconds_left=0.0)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder for the block, made if need be. Busy when another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    owner = read(folder)
                    who = f" by process {owner.pid} on {owner.host}" if owner else ""
                    raise BusyError(f"{folder} is being worked on{who}; wait for it, or give another name=") from error
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
