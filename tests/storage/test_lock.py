"""Locks on file systems of clusters: over NFS, and where there are none."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from lrx.runs import plan, status
from lrx.storage import lock

REAL = fcntl.flock
PLANNED = {"vae-0": plan.Planned("train", ("seed=0",))}


def nfs(descriptor: int, operation: int) -> None:
    """Lock as the kernel does over NFS, by byte ranges: an exclusive lock needs a file that is open for writing."""
    is_readable_only = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    if operation & fcntl.LOCK_EX and is_readable_only:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    REAL(descriptor, operation)


def none(descriptor: int, operation: int) -> None:
    """Lock as on Lustre without the option `flock`."""
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def test_plan_over_nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock.fcntl, "flock", nfs)
    with plan.launcher(tmp_path, PLANNED):
        assert plan.pending(tmp_path, {}, ())["vae-0"].state == plan.QUEUED
    assert plan.pending(tmp_path, {}, ())["vae-0"].state == plan.MISSING
    (tmp_path / plan.LOCK).chmod(0o444)
    assert not plan.is_launching(tmp_path)


def test_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock.fcntl, "flock", none)
    line = "cannot be locked: function not implemented; runs need a file system that has locks"
    with pytest.raises(OSError, match=line) as refused, status.lock(tmp_path / "run"):
        pass
    assert not isinstance(refused.value, status.BusyError)
    with pytest.raises(OSError, match=line), plan.launcher(tmp_path, PLANNED):
        pass
    assert not status.is_locked(tmp_path / "run")
