"""Fetching from a web server on this machine that breaks in every way."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrx.data.official.checksums import OfficialFile, Release
from lrx.data.official.download import fetch, verdict
from tests.support.web_server import Request, Server, cut, error, sends, serving

CONTENT = np.random.default_rng(0).bytes(300_000)
FILE = OfficialFile(
    name="data.bin",
    page="https://example.org/project",
    release=Release("md5", hashlib.md5(CONTENT).hexdigest()),
    num_bytes=len(CONTENT),
)
NOTHING_PUBLISHED = replace(FILE, release=None, num_bytes=None)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(CONTENT) as running:
        yield running


class Attempt:
    """`fetch` into a folder, without real pauses; `pauses` and `said` tell of the retries, `seen` of the progress."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.pauses: list[float] = []
        self.said: list[str] = []
        self.seen: list[tuple[int, int]] = []

    def __call__(self, file: OfficialFile = FILE, *, retries: int = 3, timeout: float = 10) -> Path:
        return fetch(
            replace(file, address=file.address or self.server.address),
            self.folder,
            retries=retries,
            timeout=timeout,
            progress=lambda done, total: self.seen.append((done, total)),
            on_retry=self.said.append,
            pause=self.pauses.append,
        )

    def refused(self, match: str, file: OfficialFile = FILE, kind: type[Exception] = OSError) -> None:
        """One line of error, and no file."""
        with pytest.raises(kind, match=match) as caught:
            self(file)
        assert "\n" not in str(caught.value)
        assert not (self.folder / FILE.name).exists()

    @property
    def part(self) -> Path:
        return self.folder / "data.bin.part"

    def leave(self, content: bytes) -> None:
        """What an earlier process left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.part.write_bytes(content)


@pytest.fixture
def attempt(server: Server, tmp_path: Path) -> Attempt:
    return Attempt(server, tmp_path / "new" / "folder")


def assert_whole(path: Path) -> None:
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["data.bin"]


# ------------------------------------------------------------------------------------------------ what goes well


def test_a_file_comes_whole_and_verified(attempt: Attempt, server: Server) -> None:
    assert_whole(attempt())
    assert server.ranges == [None]
    done = [done for done, _ in attempt.seen]
    assert done == sorted(set(done))
    assert done[-1] == len(CONTENT)
    assert {total for _, total in attempt.seen} == {len(CONTENT)}
    assert not attempt.pauses


def test_no_published_size(attempt: Attempt) -> None:
    assert_whole(attempt(NOTHING_PUBLISHED))


def test_no_announced_size(attempt: Attempt, server: Server) -> None:
    def unannounced(request: Request) -> None:
        request.head(200)
        request.wfile.write(CONTENT)

    server.script = [unannounced]
    assert_whole(attempt(NOTHING_PUBLISHED))


def test_a_file_that_is_there_is_left_alone(attempt: Attempt, server: Server) -> None:
    attempt.folder.mkdir(parents=True)
    (attempt.folder / "data.bin").write_bytes(b"mine")
    assert attempt().read_bytes() == b"mine"
    assert [entry.name for entry in attempt.folder.iterdir()] == ["data.bin"]
    assert server.ranges == []


def test_a_redirect_is_followed_with_the_range(attempt: Attempt, server: Server) -> None:
    attempt.leave(CONTENT[:1000])
    server.script = [error(302, Location="/elsewhere")]
    assert_whole(attempt())
    assert server.ranges == ["bytes=1000-", "bytes=1000-"]


# ------------------------------------------------------------------------------------ connections that break off


def test_cut_at_arbitrary_bytes_many_times(attempt: Attempt, server: Server) -> None:
    pieces = np.random.default_rng(1).integers(1, 15_000, size=30)
    server.script = [cut(int(size)) for size in pieces]
    assert_whole(attempt(retries=1))  # each attempt brings something, so that each failure is the first in a row
    starts = np.concatenate([[0], np.cumsum(pieces)])
    assert server.ranges == [None, *(f"bytes={start}-" for start in starts[1:])]
    assert attempt.pauses == [1.0] * 30
    assert "the connection broke off; trying again in 1 s, from byte" in attempt.said[0]


def test_two_calls_ask_for_each_byte_once(attempt: Attempt, server: Server) -> None:
    server.script = [cut(100_000)]
    with pytest.raises(OSError, match="the 100,000 bytes that came are kept") as caught:
        attempt(retries=0)
    assert FILE.page in str(caught.value)
    assert attempt.part.read_bytes() == CONTENT[:100_000]
    assert_whole(attempt())
    assert server.ranges == [None, "bytes=100000-"]


def test_a_part_that_is_whole_needs_no_request(attempt: Attempt, server: Server) -> None:
    attempt.leave(CONTENT)
    assert_whole(attempt())
    assert server.ranges == []


def test_whole_part_of_unpublished_size(attempt: Attempt, server: Server) -> None:
    attempt.leave(CONTENT)
    assert_whole(attempt(replace(FILE, num_bytes=None)))
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_part_longer_than_file(attempt: Attempt, server: Server) -> None:
    attempt.leave(CONTENT + b"more")
    assert_whole(attempt())
    assert server.ranges == [None]
    for path in attempt.folder.iterdir():
        path.unlink()
    attempt.leave(CONTENT + b"more")
    assert_whole(attempt(replace(FILE, num_bytes=None)))
    assert server.ranges[1:] == [f"bytes={len(CONTENT) + 4}-", None]


def test_part_without_checksum_is_discarded(attempt: Attempt, server: Server) -> None:
    attempt.leave(b"of another day")
    assert_whole(attempt(NOTHING_PUBLISHED))
    assert server.ranges == [None]


def test_server_without_ranges(attempt: Attempt, server: Server) -> None:
    attempt.leave(CONTENT[:5000])
    server.script = [sends(CONTENT)]
    assert_whole(attempt())
    assert server.ranges == ["bytes=5000-"]


def test_server_without_ranges_that_breaks(attempt: Attempt, server: Server) -> None:
    server.script = [sends(CONTENT[:7000], Content_Length=len(CONTENT))] * 10
    attempt.refused("broke off; retries=3 did not help; the 7,000 bytes that came are kept")
    assert server.ranges == [None, *["bytes=7000-"] * 3]


def test_wrong_range(attempt: Attempt, server: Server) -> None:
    attempt.leave(CONTENT[:5000])
    server.script = [
        lambda request: request.head(206, Content_Range=f"bytes 4000-{len(CONTENT) - 1}/{len(CONTENT)}"),
    ]
    assert_whole(attempt())
    assert server.ranges == ["bytes=5000-", None]


def test_changed_file_is_detected_by_etag(attempt: Attempt, server: Server) -> None:
    asked: list[str | None] = []

    def changed(request: Request) -> None:
        asked.append(request.headers.get("If-Range"))
        sends(CONTENT)(request)

    old, server.content = server.content, bytes(len(CONTENT))
    server.script = [cut(9000, ETag='"old"'), changed]
    assert_whole(attempt(NOTHING_PUBLISHED))
    assert asked == ['"old"']
    assert server.content != old


def test_refused_and_closed_connections(attempt: Attempt, server: Server) -> None:
    server.script = [lambda request: None] * 3  # closes without a word
    assert_whole(attempt())
    assert attempt.pauses == [1.0, 2.0, 4.0]
    (attempt.folder / "data.bin").unlink()
    server.server_close()
    attempt.refused("Connection refused; retries=3 did not help", replace(FILE, address=server.address))
    assert not attempt.part.exists()  # it would be empty


def test_timeout(attempt: Attempt, server: Server) -> None:
    asleep = threading.Event()

    def drip(request: Request) -> None:
        request.range_head(0)
        request.wfile.write(CONTENT[:100])
        asleep.wait(5)

    server.script = [drip]
    assert_whole(attempt(timeout=0.1))
    asleep.set()
    assert server.ranges == [None, "bytes=100-"]
    assert "timed out" in attempt.said[0]


def test_ctrl_c_leaves_what_came(attempt: Attempt, server: Server) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    server.script = [cut(1234)]
    with pytest.raises(KeyboardInterrupt):
        fetch(replace(FILE, address=server.address), attempt.folder, retries=3, timeout=10, pause=interrupt)
    assert attempt.part.read_bytes() == CONTENT[:1234]
    assert_whole(attempt())
    assert server.ranges == [None, "bytes=1234-"]


# ---------------------------------------------------------------------------------------- answers that are errors


def test_retry_after(attempt: Attempt, server: Server) -> None:
    date = "Fri, 31 Dec 2100 23:59:59 GMT"  # which is taken as no time
    server.script = [error(500), error(429, Retry_After=0), error(503, Retry_After=7), error(503, Retry_After=date)]
    assert_whole(attempt(retries=4))
    assert attempt.pauses == [1.0, 0, 7, 8.0]
    assert "500 Internal Server Error" in attempt.said[0]


def test_a_server_that_stays_busy_is_given_up(attempt: Attempt, server: Server) -> None:
    server.script = [error(503)] * 9
    attempt.refused("503 Service Unavailable; retries=3 did not help")
    assert attempt.pauses == [1.0, 2.0, 4.0]
    server.script = [error(429, Retry_After=86400)]
    attempt.refused("429 Too Many Requests and asks to wait 86400 s")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final_and_named(status: int, attempt: Attempt, server: Server) -> None:
    server.script = [error(status)]
    attempt.refused(f"{server.address}.*answered {status} .*{FILE.page}")
    assert not attempt.pauses
    assert not attempt.part.exists()


def test_other_protocols_are_refused(attempt: Attempt, server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "data.bin"
    secret.write_bytes(CONTENT)
    server.script = [error(302, Location=secret.as_uri())]
    attempt.refused("not allowed")
    server.script = [error(302, Location="ftp://127.0.0.1/data.bin")]
    attempt.refused("'ftp://127.0.0.1/data.bin' is no address", kind=ValueError)
    for address in (secret.as_uri(), "ftp://127.0.0.1/x", "data.bin", "http://", "http://h:x/", "http://h/a b"):
        attempt.refused("is no address to fetch from", replace(FILE, address=address), kind=ValueError)
    assert len(server.ranges) == 2


@pytest.mark.parametrize("name", ["../data.bin", "a/data.bin", "/data.bin", "a\\data.bin", "..", ".", ""])
def test_a_name_must_be_plain(name: str, attempt: Attempt, server: Server) -> None:
    attempt.refused("not the plain name of a file", replace(FILE, name=name), kind=ValueError)
    assert not attempt.folder.exists()
    assert server.ranges == []


def test_settings_must_be_of_their_kind(attempt: Attempt) -> None:
    for retries in (-1, 1.5, True):
        with pytest.raises(ValueError, match="retries"):
            attempt(retries=retries)
    for timeout in (0, -1, "1"):
        with pytest.raises(ValueError, match="timeout"):
            attempt(timeout=timeout)


# ------------------------------------------------------------------------------------------- other content


def test_damaged_part_is_fetched_again(attempt: Attempt, server: Server) -> None:
    attempt.leave(bytes(1000))
    assert_whole(attempt())
    assert server.ranges == ["bytes=1000-", None]


def test_mixed_pieces_are_fetched_again(attempt: Attempt, server: Server) -> None:
    server.script = [sends(bytes(1000), Content_Length=len(CONTENT))]  # without a tag, nobody vouches for the rest
    assert_whole(attempt())
    assert server.ranges == [None, "bytes=1000-", None]


def test_wrong_content_is_kept_aside(attempt: Attempt, server: Server) -> None:
    server.content = bytes(len(CONTENT))
    attempt.refused("not the published data.bin .*its md5 is .*data.bin.part.*see https://example.org/project")
    assert attempt.part.read_bytes() == server.content
    assert server.ranges == [None]
    server.script = [cut(1000, ETag='"same"')]
    attempt.leave(b"")
    attempt.refused("not the published")
    assert len(server.ranges) == 3  # the tag says that the pieces belong together: no third request
    attempt.leave(CONTENT[:1000])
    attempt.refused("not the published")
    assert server.ranges[3:] == ["bytes=1000-", None]


def test_wrong_announced_size(attempt: Attempt, server: Server) -> None:
    server.content = CONTENT + b"more"
    attempt.refused("has 300,004 bytes, the published one 300,000")
    assert not attempt.part.exists()


def test_surplus_bytes(attempt: Attempt, server: Server) -> None:
    def endless(request: Request) -> None:
        request.head(200)
        while True:
            request.wfile.write(CONTENT)

    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.script = [endless]
    attempt.refused("more than the 300,000 bytes")
    assert attempt.part.stat().st_size <= len(CONTENT)


def test_web_page_in_place_of_file(attempt: Attempt, server: Server) -> None:
    for kind in ("text/html", "text/html; charset=x"):
        server.script = [sends(b"<html>quota", Content_Type=kind)]
        attempt.refused("a web page, not the file")
        assert not attempt.part.exists()
    attempt.leave(CONTENT[:10])
    server.script = [sends(b"<html>quota", Content_Type="text/html")]
    attempt.refused("a web page, not the file", replace(FILE, num_bytes=None))
    assert attempt.part.read_bytes() == CONTENT[:10]


def test_verdict(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(CONTENT)
    assert verdict(FILE, path) == (True, "md5 as published")
    assert verdict(NOTHING_PUBLISHED, path) == (True, "no checksum published")
    path.write_bytes(CONTENT[::-1])
    fits, what = verdict(FILE, path)
    assert not fits
    assert hashlib.md5(CONTENT[::-1]).hexdigest() in what
    assert hashlib.md5(CONTENT).hexdigest() in what
    path.write_bytes(b"abc")
    assert verdict(FILE, path) == (False, "3 bytes, the published file has 300,000")


# --------------------------------------------------------------------------- one disk, and several processes


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
