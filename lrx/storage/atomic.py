"""Files that are there whole or not at all: written beside, flushed to disk, renamed.

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

ABANDONED = 24 * 3600  # seconds without a write


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path in the same folder, for the block to write to and close; on leaving, it takes the place of `path`.

    When the block fails, `path` stays as it was and what was written is removed. OSError in one line when the folder
    cannot be written or the disk is full.
    """
    with _beside(path, num_bytes=0) as temporary:
        yield temporary
        _flush(temporary)
        rename(temporary, path)


def write(path: Path, content: bytes | memoryview) -> None:
    """Put `content` in place of `path`. OSError in one line, with the bytes needed and free, as `written_beside`."""
    with written_beside(path, num_bytes=len(content)) as (file, temporary):
        file.write(content)
    put(temporary, path)


def append(path: Path, text: str) -> None:
    """Add `text` at the end of a file. OSError in one line when it cannot be written whole; a part may be there."""
    try:
        with path.open("a", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise explained(error, path, len(text)) from error


@contextmanager
def written_beside(path: Path, *, num_bytes: int) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file in the folder of `path` to write into, and its temporary path, for `put` to give it its final name.

    When the block ends well, the file is flushed to disk and stays; otherwise it is removed. OSError in one line (path,
    bytes needed, bytes free) when the folder cannot be written, or the disk is full or too small to begin with.
    """
    with _beside(path, num_bytes=num_bytes) as temporary:
        if shutil.disk_usage(path.parent).free < num_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with open(temporary, "xb") as file:
            yield file, temporary
            file.flush()
            os.fsync(file.fileno())


def put(temporary: Path, path: Path) -> None:
    """Give a finished file its final name; OSError in one line when it cannot have it, and then it is removed."""
    try:
        rename(temporary, path)
    except OSError as error:
        _remove(temporary)
        raise explained(error, path, 0) from error


def rename(temporary: Path, path: Path) -> None:
    """Rename a finished file to its final name in the same folder, and flush the folder to disk."""
    os.replace(temporary, path)
    _flush(path.parent)


@contextmanager
def _beside(path: Path, *, num_bytes: int) -> Iterator[Path]:
    """A temporary path unique to this call, removed when the block fails; an OSError is explained in one line."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.[0-9]*.part"):
            with suppress(FileNotFoundError):  # another writer may be done with it by now
                if time.time() - left.stat().st_mtime > ABANDONED:
                    left.unlink()
    except OSError as error:
        raise explained(error, path, num_bytes) from error
    try:
        yield temporary
    except OSError as error:
        _remove(temporary)
        raise explained(error, path, num_bytes) from error
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: Path) -> None:
    with suppress(OSError):  # what went wrong before is what a person must hear of, not that this fails too
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have the disk hold the content of a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def explained(error: OSError, path: Path, num_bytes: int) -> OSError:
    """The same error in one line that says what was to be written, where, and how much room there is."""
    existing = next(folder for folder in path.absolute().parents if folder.exists())
    needed = f"{num_bytes:,} bytes needed, " if num_bytes else ""
    # of errors with a number the system's own word: HDF5 gives a paragraph with them
    reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
    return OSError(
        error.errno, f"cannot write {path}: {reason} ({needed}{shutil.disk_usage(existing).free:,} bytes free)"
    )
