"""Fetching a published file: resumed where it broke off, verified, and under its own name only when it is whole.

What has come lies in `<name>.part`. Whatever breaks, a lost connection, a full disk or Ctrl-C, leaves it there, and the
next call asks for the missing bytes alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from lrx.core.validation import is_whole
from lrx.data.official.checksums import OfficialFile, digests
from lrx.data.official.web import LONGEST_WAIT, Answer, Lost, Refused, ask, check_web
from lrx.storage.atomic import rename

FIRST_PAUSE = 1.0  # seconds
Notice = Callable[[str], None]


def fetch(
    file: OfficialFile,
    folder: Path,
    *,
    retries: int,
    timeout: float,
    progress: Callable[[int, int], None] | None = None,
    on_retry: Notice | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """Fetch `file` into `folder`, which is created, and return its path; an existing file is left as it is.

    retries: attempts in a row that bring no new byte before it gives up; the pause between two doubles.
    timeout: seconds without a byte after which a connection counts as lost.
    progress: called with (bytes there, bytes in all) where the size is published or the server says it.
    on_retry: called with one line that says why another attempt is made, and when.
    ValueError for a name or an address that is not fit. OSError in one line when the server refuses, fails too often or
    sends something else; when the disk is full (bytes needed, bytes free); when another process fetches the same file.
    """
    if not is_whole(retries, 0):
        raise ValueError(f"retries must be a whole number of at least 0, not {retries!r}")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise ValueError(f"timeout must be a positive number of seconds, not {timeout!r}")
    if file.name in ("", "..") or file.name != Path(file.name).name or "\\" in file.name:
        raise ValueError(f"{file.name!r} is not the plain name of a file")
    if file.address is None:
        raise ValueError(f"{file.name} has no address to be fetched from; see {file.page}")
    check_web(file.address)
    path = folder / file.name
    with _open_part(path) as part:
        if path.exists():
            return path
        transfer = _Transfer(file, file.address, part, path, timeout, progress)
        if file.release is None:  # pieces of several versions could not be recognised
            transfer.start_over()
        is_mixed = transfer.run(retries, on_retry, pause)
        fits, what = verdict(file, _part_of(path))
        if is_mixed and not fits:
            transfer.start_over()
            transfer.run(retries, on_retry, pause)
            fits, what = verdict(file, _part_of(path))
        if not fits:
            raise transfer.failure(
                f"what came is not the published {file.name} ({what}); it is kept as {_part_of(path)}, rename it "
                "if you trust it"
            )
        os.fsync(part.fileno())
        rename(_part_of(path), path)
    return path


def verdict(file: OfficialFile, path: Path) -> tuple[bool, str]:
    """Return whether `path` agrees with what is published of the file, and what was compared, in words."""
    num_bytes = path.stat().st_size
    if file.num_bytes not in (None, num_bytes):
        return False, f"{num_bytes:,} bytes, the published file has {file.num_bytes:,}"
    if file.release is None:
        return True, "no checksum published"
    algorithm = file.release.algorithm
    (digest,) = digests(path, (algorithm,))
    if digest != file.release.digest:
        return False, f"its {algorithm} is {digest}, the published one is {file.release.digest}"
    return True, f"{algorithm} as published"


class _Transfer:
    """Transfer of a file from its address into `part`, open for appending; `path` is its final path."""

    def __init__(
        self,
        file: OfficialFile,
        address: str,
        part: FileIO,
        path: Path,
        timeout: float,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._file, self._address, self._part, self._path = file, address, part, path
        self._timeout, self._progress = timeout, progress
        self._version: str | None = None  # the server's mark of the content that `part` begins with

    @property
    def size(self) -> int:
        """Number of bytes received."""
        return os.fstat(self._part.fileno()).st_size

    def start_over(self) -> None:
        """Discard the bytes received."""
        self._part.truncate(0)
        self._version = None

    def failure(self, why: str) -> OSError:
        """Return an error that names the address, the reason, and the page to see."""
        return OSError(f"cannot fetch {self._address}: {why}; see {self._file.page}")

    def run(self, retries: int, on_retry: Notice | None, pause: Callable[[float], None]) -> bool:
        """Fetch all missing bytes; return whether the part may consist of pieces of different versions."""
        published = self._file.num_bytes
        if published is not None and self.size > published:
            self.start_over()
        is_mixed, most, failures = self.size > 0, self.size, 0
        while published is None or self.size != published:
            try:
                with ask(self._address, start=self.size, version=self._version, timeout=self._timeout) as answer:
                    if answer is not None:
                        self._receive(answer)
                break
            except Refused as refused:
                raise self.failure(str(refused)) from refused
            except Lost as lost:
                failures = failures + 1 if self.size <= most else 1
                most = max(most, self.size)
                # with a version, the server checks that the pieces belong together
                is_mixed = is_mixed or self._version is None
                if lost.stale or (self._version is None and self._file.release is None):
                    self.start_over()  # nothing would tell that the rest is of another version
                if failures > retries:
                    raise self.failure(f"{lost}; retries={retries} did not help; {self._kept()}") from lost
                wait = min(LONGEST_WAIT, FIRST_PAUSE * 2 ** (failures - 1)) if lost.wait is None else lost.wait
                if on_retry is not None:
                    on_retry(f"{self._file.name}: {lost}; trying again in {wait:.0f} s, from byte {self.size:,} on")
                pause(wait)
        return is_mixed

    def _receive(self, answer: Answer) -> None:
        """Append an answer to the part. Lost when it ends too early, OSError when it is not the file."""
        if answer.is_page:
            raise self.failure("the server sent a web page, not the file: open the address in a browser to read it")
        if answer.start != self.size:  # the server knows no ranges, or has another version by now
            self.start_over()
        self._version = answer.version
        total = self._check_size(answer.total)
        for chunk in answer.chunks():
            if total is not None and self.size + len(chunk) > total:
                raise self.failure(f"the server sends more than the {total:,} bytes of the file")
            self._write(chunk, total)
            if self._progress is not None and total:
                self._progress(self.size, total)
        if total is not None and self.size < total:
            raise Lost("the connection broke off")

    def _check_size(self, announced: int | None) -> int | None:
        """Return the size of the file, if known. OSError unless it is the published one and the disk has room."""
        published = self._file.num_bytes
        if announced is not None and published not in (None, announced):
            raise self.failure(f"the file there has {announced:,} bytes, the published one {published:,}")
        total = published if announced is None else announced
        if total is not None and shutil.disk_usage(self._path.parent).free < total - self.size:
            raise self._no_room("the disk is too full", total)
        return total

    def _write(self, chunk: bytes, total: int | None) -> None:
        left = memoryview(chunk)
        try:
            while left:
                left = left[self._part.write(left) :]  # a disk that is nearly full takes a part of it
        except OSError as error:
            raise self._no_room((error.strerror or str(error)).lower(), total) from error

    def _no_room(self, why: str, total: int | None) -> OSError:
        needed = "" if total is None else f"{total - self.size:,} more bytes needed, "
        free = shutil.disk_usage(self._path.parent).free
        return OSError(f"cannot write {self._path}: {why} ({needed}{free:,} bytes free); {self._kept()}")

    def _kept(self) -> str:
        return f"the {self.size:,} bytes that came are kept, and the same command goes on from there"


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


@contextmanager
def _open_part(path: Path) -> Iterator[FileIO]:
    """Open the part of a file for appending, locked against other processes; an empty one is removed at the end."""
    part = _part_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(part, "ab", buffering=0) as file:  # unbuffered, so that all that came is there after Ctrl-C
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # the process that held the lock before may have renamed or removed what was opened
            is_locked = part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat())
        except BlockingIOError:
            is_locked = False
        if not is_locked:
            raise OSError(f"{path} is being fetched by another process; wait until it is done")
        try:
            yield file
        finally:
            if part.exists() and not part.stat().st_size:
                part.unlink()
