"""Files that are there whole or not at all: written beside, flushed to disk, renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

ABANDONED = 24 * 3600  # seconds without a write


@contextmanager
def written_beside(path: Path, *, num_bytes: int) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file in the folder of `path` to write into, and its temporary path, unique to this call.

    The folder is made if need be, and what a killed process left there a day ago or more is removed. When the block
    ends well, the file is flushed to disk and stays for `put` to rename; otherwise it is removed. OSError in one line
    (path, bytes needed, bytes free) when the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{path.name}.*.part"):
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free
        if free < num_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file = open(temporary, "xb")  # noqa: SIM115 (closed by the with below, whose errors need the file removed)
    except OSError as error:
        raise _explained(error, path, num_bytes) from error
    try:
        with file:
            yield file, temporary
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _explained(error, path, num_bytes) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def put(temporary: Path, path: Path) -> None:
    """Rename a finished file to its final name in the same folder, and flush the folder to disk."""
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _explained(error: OSError, path: Path, num_bytes: int) -> OSError:
    """The same error in one line that says what was to be written, where, and how much room there is."""
    existing = next(folder for folder in path.absolute().parents if folder.exists())
    free = shutil.disk_usage(existing).free
    reason = (error.strerror or str(error)).lower()
    return OSError(error.errno, f"cannot write {path}: {reason} ({num_bytes:,} bytes needed, {free:,} free)")
