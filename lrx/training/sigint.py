"""Ctrl-C during training: the first one asks the loop to save the running step and stop, the second ends at once.

Only the main thread may handle signals; in another thread, or where another handler is set, nothing changes.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupt_flag(*, enabled: bool = True) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether the block got a Ctrl-C; the one after it raises KeyboardInterrupt."""
    event = threading.Event()
    previous = signal.getsignal(signal.SIGINT)
    is_main_thread = threading.current_thread() is threading.main_thread()
    if not enabled or not is_main_thread or previous is not signal.default_int_handler:
        yield event.is_set
        return

    def on_sigint(number: int, frame: FrameType | None) -> None:
        event.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, on_sigint)
    try:
        yield event.is_set
    finally:
        signal.signal(signal.SIGINT, previous)
