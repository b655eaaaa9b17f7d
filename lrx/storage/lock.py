"""Locks between processes; the system releases the lock of a process that dies."""

from __future__ import annotations

import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lrx.storage.atomic import with_disk_context


@contextmanager
def exclusive_lock(path: Path, *, num_bytes: int) -> Iterator[None]:
    """Lock `path` for the block, through a file `.<name>.lock` beside it, which is removed at the end.

    Wait, with a warning, while another process has the lock. OSError in one line, with num_bytes as the bytes needed,
    when the folder cannot be written or its file system has no locks.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(lock, path)
    except OSError as error:
        raise with_disk_context(error, path, num_bytes) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # before the release, so that a process that waits sees that the file is gone
        os.close(descriptor)


def flock(descriptor: int, operation: int, path: Path) -> None:
    """Lock an open file. BlockingIOError while another process holds it; OSError in one line where nothing can be."""
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        raise
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        line = f"{path} cannot be locked: {reason}; runs need a file system that has locks"
        raise OSError(error.errno, line) from error


def is_open_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still the one at a path: its former owner may have removed it."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def is_held(path: Path, *, shared: bool = False) -> bool:
    """Return whether a live process holds the lock of a file. shared: whether those that hold it share it.

    Of two processes that ask for a shared one at the same moment, one may take the other for a holder. Where there are
    no locks, nobody holds one.
    """
    try:
        descriptor = _open(path, writable=shared)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if shared else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _open(path: Path, *, writable: bool) -> int:
    """Open a file to lock it; over NFS an exclusive lock needs one that is open for writing."""
    flags = os.O_NONBLOCK  # does not block on a named pipe
    if writable:
        with suppress(OSError):  # such as that of another person
            return os.open(path, flags | os.O_RDWR)
    return os.open(path, flags | os.O_RDONLY)


def _acquire(lock: Path, path: Path) -> int:
    """Return the descriptor of the lock file; closing it releases the lock."""
    warned = False
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not warned:
                    warnings.warn(f"another process is making {path}; waiting for it", stacklevel=4)
                warned = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if is_open_at(descriptor, lock):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its former owner has removed this file: lock the new one
