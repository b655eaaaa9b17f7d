"""Atomic writes: to a temporary file in the same folder, flushed to disk, then renamed.

A killed process leaves a hidden file `.name.*.part` at worst; the next writer of that file removes it after a day.
"""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

STALE_AFTER = 24 * 3600  # seconds without a write


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, for the block to write and close; then rename it to `path`.

    When the block fails, `path` stays as it was and the temporary file is removed. OSError in one line when the folder
    cannot be written or the disk is full.
    """
    with _temporary_path(path, num_bytes=0) as temporary:
        yield temporary
        _flush(temporary)
        rename(temporary, path)


def write(path: Path, content: bytes | memoryview) -> None:
    """Write `content` to `path`. OSError in one line, with the bytes needed and free, as of `atomic_file`."""
    with atomic_file(path, num_bytes=len(content)) as (file, temporary):
        file.write(content)
    commit(temporary, path)


def append(path: Path, text: str) -> None:
    """Append `text` to a file. OSError in one line when the disk is full; a part of the text may be written then."""
    try:
        with path.open("a", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise with_disk_context(error, path, len(text)) from error


@contextmanager
def atomic_file(path: Path, *, num_bytes: int) -> Iterator[tuple[BinaryIO, Path]]:
    """Give a new file in the folder of `path` and its temporary path, which `commit` renames to its final name.

    When the block ends without error, the file is flushed to disk; otherwise it is removed. OSError in one line (path,
    bytes needed, bytes free) when the folder cannot be written, or the disk is full or has fewer bytes free.
    """
    with _temporary_path(path, num_bytes=num_bytes) as temporary:
        disk = shutil.disk_usage(path.parent)
        if disk.total and disk.free < num_bytes:  # /proc and its like have no size
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with open(temporary, "xb") as file:
            yield file, temporary
            file.flush()
            os.fsync(file.fileno())


def commit(temporary: Path, path: Path) -> None:
    """Rename a finished file to its final name. When that fails, remove it and raise an OSError of one line."""
    try:
        rename(temporary, path)
    except OSError as error:
        _remove(temporary)
        raise with_disk_context(error, path, 0) from error


def rename(temporary: Path, path: Path) -> None:
    """Rename a finished file to its final name in the same folder, and flush the folder to disk."""
    os.replace(temporary, path)
    _flush(path.parent)


@contextmanager
def _temporary_path(path: Path, *, num_bytes: int) -> Iterator[Path]:
    """Give a temporary path unique to this call, removed when the block fails; an OSError gets disk context."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in path.parent.glob(f".{glob.escape(path.name)}.[0-9]*.part"):
            with suppress(FileNotFoundError):  # another writer may have renamed it
                if time.time() - stale.stat().st_mtime > STALE_AFTER:
                    stale.unlink()
    except OSError as error:
        raise with_disk_context(error, path, num_bytes) from error
    try:
        yield temporary
    except OSError as error:
        _remove(temporary)
        raise with_disk_context(error, path, num_bytes) from error
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: Path) -> None:
    with suppress(OSError):  # the error that led here is the one to report
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Flush the content of a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def with_disk_context(error: OSError, path: Path, num_bytes: int) -> OSError:
    """Return the same error in one line with the path, the bytes needed and the bytes free."""
    existing = next(folder for folder in path.absolute().parents if folder.exists())
    disk = shutil.disk_usage(existing)
    needed = f"{num_bytes:,} bytes needed, " if num_bytes else ""
    space = f" ({needed}{disk.free:,} bytes free)" if disk.total else ""
    # for errors with a number the system's own text: HDF5 adds a paragraph to them
    reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
    return OSError(error.errno, f"cannot write {path}: {reason}{space}")
