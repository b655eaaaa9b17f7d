"""Fetching from a web server on this machine that breaks in every way."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from lrx.data.official.download import fetch
from tests.data.conftest import CONTENT, FILE, NOTHING_PUBLISHED, Attempt, assert_whole
from tests.support.web_server import Request, Server, cut, error, sends

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
