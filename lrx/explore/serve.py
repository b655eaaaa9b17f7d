"""Service of the page on loopback, until Ctrl-C."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from lrx.explore.session import Session

HOST = "127.0.0.1"
PACKAGES = ("starlette", "uvicorn")
PATIENCE = 2  # seconds that an answer may take when the server ends


def check_installed() -> None:
    """Check that the packages of the extra are there. ValueError says how to have them."""
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise ValueError(f"lrx explore needs {' and '.join(lacking)}: pip install 'lrx[explore]'")


def listen(port: int | None) -> socket.socket:
    """Return a socket on loopback, at a free port where none is given. ValueError for a port that cannot be had."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port or 0))
        bound.listen()  # what asks before the server runs waits
    except OSError as error:
        bound.close()
        reason = (error.strerror or str(error)).lower()
        raise ValueError(f"port={port} cannot be had ({reason}); leave port out for a free one") from error
    return bound


def serve(session: Session, command: Sequence[str], bound: socket.socket, *, announce: Callable[[str], None]) -> None:
    """Serve the page of a session until Ctrl-C. announce: called with the address, which answers from then on."""
    import uvicorn

    from lrx.explore.server import application

    with bound, ThreadPoolExecutor(max_workers=1) as executor:
        app = application(session, command, executor)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=PATIENCE
        )
        announce(f"http://{HOST}:{bound.getsockname()[1]}/")
        with contextlib.suppress(KeyboardInterrupt):  # the way in which it ends
            uvicorn.Server(config).run(sockets=[bound])
        executor.shutdown(cancel_futures=True)
