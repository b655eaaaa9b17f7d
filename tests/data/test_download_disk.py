"""Downloads onto a disk that is too small, and by two processes at once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.data.conftest import CONTENT, NOTHING_PUBLISHED, Attempt, assert_whole
from tests.support.web_server import Request, Server, sends


def test_file_larger_than_disk(attempt: Attempt, server: Server) -> None:
    server.script = [sends(b"PK", Content_Length=10**18)]
    attempt.refused(r"too full \(1,000,000,000,000,000,000 more bytes needed, [0-9,]+ bytes free\)", NOTHING_PUBLISHED)
    assert not attempt.part.exists()


CHILD = """
import resource, sys
from pathlib import Path
from lrx.data.official.download import fetch
from lrx.data.official.checksums import OfficialFile, Release
address, folder, limit, digest = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
file = OfficialFile("data.bin", "https://example.org/project", Release("md5", digest), None, address)
try:
    fetch(file, Path(folder), retries=0, timeout=10)
except OSError as error:
    print(error)
"""


@contextmanager
def full_disk(folder: Path) -> Iterator[int]:
    """A folder with room for 128 KiB: a disk of that size where one may be mounted (0), else a limit to set."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder], capture_output=True)
    if mounted.returncode:
        yield 128 << 10
        return
    try:
        yield 0
    finally:
        subprocess.run(["umount", folder], check=True)


def test_full_disk_keeps_part(attempt: Attempt, server: Server, tmp_path: Path) -> None:
    def unannounced(request: Request) -> None:
        request.head(200)
        request.wfile.write(CONTENT)

    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.script = [unannounced]
    small, digest = tmp_path / "small", hashlib.md5(CONTENT).hexdigest()
    with full_disk(small) as limit:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, server.address, small, str(limit), digest],
            capture_output=True,
            text=True,
            check=True,
        )
        part = (small / "data.bin.part").read_bytes()
    assert "cannot write" in done.stdout
    assert "bytes free" in done.stdout
    assert "the 131,072 bytes that came are kept" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert part == CONTENT[: 128 << 10]
    attempt.leave(part)
    assert_whole(attempt())
    assert server.ranges == [None, f"bytes={128 << 10}-"]


def test_two_at_once_do_not_mix(attempt: Attempt, server: Server, tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(request: Request) -> None:
        request.range_head(0)
        request.wfile.write(CONTENT[:1000])
        begun.set()
        assert go_on.wait(30)
        request.wfile.write(CONTENT[1000:])

    server.script = [slow]
    other = Attempt(server, attempt.folder)
    thread = threading.Thread(target=other)
    thread.start()
    assert begun.wait(30)
    attempt.refused("is being fetched by another process")
    go_on.set()
    thread.join()
    assert_whole(attempt())
    assert server.ranges == [None]
