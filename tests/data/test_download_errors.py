"""Answers of a web server that are errors, and content other than what was published."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from lrx.data.official.download import verdict
from tests.data.conftest import CONTENT, FILE, NOTHING_PUBLISHED, Attempt, assert_whole
from tests.support.web_server import Request, Server, cut, error, sends


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
