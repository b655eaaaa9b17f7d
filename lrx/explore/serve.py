"""Service of the page on loopback, until Ctrl-C."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from lrx.core.validation import SettingError, check_whole
from lrx.explore.commands import Commands
from lrx.explore.session import Session

HOST = "127.0.0.1"
PACKAGES = ("starlette", "uvicorn")
PORTS = 65535
LOOK = 0.5  # seconds between two looks for Ctrl-C
PATIENCE = 2  # seconds that an answer may take when the server ends


def check_installed() -> None:
    """Check that the packages of the extra are there. ValueError says how to have them."""
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise ValueError(f"lrx explore needs {' and '.join(lacking)}: pip install 'lrx[explore]'")


def listen(port: object) -> socket.socket:
    """Return a socket on loopback, at a free port where none is given. SettingError for a port that cannot be had."""
    check_whole("port", port, 1, null=True)
    if port is not None and cast(int, port) > PORTS:
        raise SettingError(f"port must be null or a whole number from 1 to {PORTS}, not {port}")
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, cast(int, port or 0)))
        bound.listen()  # what asks before the server runs waits
    except OSError as error:
        bound.close()
        reason = (error.strerror or str(error)).lower()
        raise SettingError(f"port={port} cannot be had ({reason}); leave port out for a free one") from error
    return bound


def serve(session: Session, commands: Commands, bound: socket.socket, *, announce: Callable[[str], None]) -> None:
    """Serve the page of a session until Ctrl-C. announce: called with the address, which answers from then on."""
    import uvicorn

    from lrx.explore.server import application

    with bound, ThreadPoolExecutor(max_workers=1) as executor:
        config = uvicorn.Config(
            application(session, commands, executor),
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=PATIENCE,
        )
        server, ended = uvicorn.Server(config), threading.Event()

        def run() -> None:
            try:
                server.run(sockets=[bound])
            finally:
                ended.set()

        thread = threading.Thread(target=run)  # a notebook's own has a loop already
        thread.start()
        try:
            announce(f"http://{HOST}:{bound.getsockname()[1]}/")
            while not ended.wait(LOOK):  # not join, which Ctrl-C ends in Python 3.11 as if the thread had ended
                pass  # the next look sees a signal that the system gave to another thread
        except KeyboardInterrupt:  # the way in which it ends
            pass
        finally:
            server.should_exit = True
            thread.join()
            executor.shutdown(cancel_futures=True)
