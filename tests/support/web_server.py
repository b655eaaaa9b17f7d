"""A web server on this machine whose answers a test scripts, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves `content` under every path. Each request takes the next of `script`, and in the end `whole`.

    ranges: what the requests asked for, in order; None for the whole.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.content = content
        self.script: list[Callable[[Request], None]] = []
        self.ranges: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data.bin"


class Request(BaseHTTPRequestHandler):
    """One request; the methods below are the ways to answer it."""

    server: Server

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        answer = self.server.script.pop(0) if self.server.script else whole
        answer(self)

    def log_message(self, *_: object) -> None:
        pass

    def start(self) -> int:
        """The first byte that is asked for."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def range_head(self, start: int, **headers: object) -> None:
        """The head of an answer from byte `start` on."""
        size = len(self.server.content)
        if start:
            headers["Content_Range"] = f"bytes {start}-{size - 1}/{size}"
        self.head(206 if start else 200, Content_Length=size - start, **headers)


Answer = Callable[[Request], None]


def whole(request: Request) -> None:
    start, size = request.start(), len(request.server.content)
    if start >= size:
        request.head(416, Content_Range=f"bytes */{size}", Content_Length=0)
    else:
        request.range_head(start)
        request.wfile.write(request.server.content[start:])


def cut(num_bytes: int, **headers: object) -> Answer:
    """What is asked for, but the connection breaks after some bytes."""

    def answer(request: Request) -> None:
        request.range_head(request.start(), **headers)
        request.wfile.write(request.server.content[request.start() :][:num_bytes])

    return answer


def error(status: int, **headers: object) -> Answer:
    return lambda request: request.head(status, Content_Length=0, **headers)


def sends(content: bytes, **headers: object) -> Answer:
    """Something else, whatever the request says."""

    def answer(request: Request) -> None:
        request.head(200, **({"Content_Length": len(content)} | headers))
        request.wfile.write(content)

    return answer


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    with Server(content) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
