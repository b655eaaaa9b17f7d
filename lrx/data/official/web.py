"""HTTP request for the rest of a file.

RFC 9110: range requests (section 14), If-Range (13.1.5), Retry-After (10.2.3).
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lrx import __version__

CHUNK = 1 << 18  # bytes
LONGEST_WAIT = 600.0  # seconds that a server may ask for
BUSY = {408, 429}  # a server that says so may do better later, as with 500 and above


class Refused(Exception):
    """Answer of a server that another attempt would not change."""


class Lost(Exception):
    """Connection that failed or broke off; another attempt may succeed.

    wait: the pause in seconds that the server asks for. stale: what came before is of no use.
    """

    def __init__(self, why: str, *, wait: int | None = None, stale: bool = False) -> None:
        super().__init__(why)
        self.wait, self.stale = wait, stale


@dataclass(frozen=True)
class Answer:
    """Open answer of a server.

    start: the byte that it begins with: the one asked for, or 0. total: bytes of the whole file, where the server says.
    version: the server's mark of this very content. is_page: whether it is a web page.
    """

    stream: http.client.HTTPResponse
    start: int
    total: int | None
    version: str | None
    is_page: bool

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in chunks as they arrive. Lost where the connection breaks off and says so."""
        while True:
            with _losses():
                chunk = self.stream.read1(CHUNK)
            if not chunk:
                return
            yield chunk


def check_web(address: str) -> None:
    """Check that an address is an http(s) one; else ValueError."""
    try:
        parts = urllib.parse.urlsplit(address)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        fit = False
    if not fit or not address.isascii() or not address.isprintable() or " " in address:
        raise ValueError(f"{address!r} is no address to fetch from: it must be a whole one that begins with http(s)://")


@contextmanager
def ask(address: str, *, start: int, version: str | None, timeout: float) -> Iterator[Answer | None]:
    """Request a file from byte `start` on and yield the answer; None where the file ends there.

    version: if the file is another by now, it is sent from its beginning. timeout: seconds without a byte.
    ValueError for an address that is not of the web, also when led there; Lost; Refused.
    """
    check_web(address)
    headers = {"User-Agent": f"lrx/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-"} | ({"If-Range": version} if version else {})
    request = urllib.request.Request(address, headers=headers)
    try:
        with _losses():
            stream = urllib.request.build_opener(_WebOnly).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            _check_at_end(error, start)
        yield None
        return
    with stream:
        yield _answer(stream, start)


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not to ftp, which urllib would allow."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        """Return the request that follows a redirect; ValueError for another protocol."""
        try:
            check_web(newurl)
        except ValueError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _answer(stream: http.client.HTTPResponse, start: int) -> Answer:
    total = _number(stream.headers.get("Content-Length"))
    if stream.status == 206:
        span, _, complete = stream.headers.get("Content-Range", "").partition("/")
        if not span.startswith(f"bytes {start}-"):
            raise Lost("the server sent another range of bytes", stale=True)
        total = _number(complete)
    else:
        start = 0
    is_page = stream.headers.get_content_type() == "text/html"
    tag = stream.headers.get("ETag", "")  # a weak one, which begins with W/, may not be in If-Range
    return Answer(stream, start, total, tag if tag.startswith('"') else None, is_page)


def _check_at_end(error: urllib.error.HTTPError, start: int) -> None:
    """Check that an error says that the file ends at byte `start`; Lost or Refused otherwise."""
    if error.code == 416 and start:
        if error.headers.get("Content-Range") == f"bytes */{start}":
            return
        raise Lost("the server has no such range of bytes", stale=True)
    what = f"the server answered {error.code} {error.reason}"
    if error.code not in BUSY and error.code < 500:
        raise Refused(what)
    wait = _number(error.headers.get("Retry-After"))  # seconds; a date is as good as none
    if wait is not None and wait > LONGEST_WAIT:
        raise Refused(f"{what} and asks to wait {wait:.0f} s")
    raise Lost(what, wait=wait)


@contextmanager
def _losses() -> Iterator[None]:
    """Turn errors of the connection into Lost, and a bad certificate into Refused."""
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise Refused(f"the server's certificate is not valid: {reason.verify_message}") from error
        raise Lost(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__) from error


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
