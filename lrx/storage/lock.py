"""One at a time: a lock that processes wait for, which the system takes from a dead one."""

from __future__ import annotations

import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lrx.storage.atomic import explained


@contextmanager
def alone(path: Path, *, num_bytes: int) -> Iterator[None]:
    """Be the only process that makes `path`, for the block; the lock is `.<name>.lock` beside it, and goes in the end.

    Another process that makes it is waited for, with a warning. OSError in one line, with num_bytes as the bytes
    needed, when the folder cannot be written or takes no locks.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(lock, path)
    except OSError as error:
        raise explained(error, path, num_bytes) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # before it is given back, so that whoever waits for it sees that it has gone
        os.close(descriptor)


def _locked(lock: Path, path: Path) -> int:
    """The descriptor of the lock file, whose closing gives the lock back."""
    told = False
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    warnings.warn(f"another process is making {path}; waiting for it", stacklevel=4)
                told = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if lock.exists() and os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # who held it before has removed it
