"""Ctrl-C while a run trains: the first one is a request, which the loop hears at the end of a step; the second ends it.

Only the main thread may handle signals; elsewhere, and where somebody else handles them, nothing changes.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def requested() -> Iterator[Callable[[], bool]]:
    """Within the block, whether an interrupt was asked for; after the first, the next is Python's KeyboardInterrupt."""
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield asked.is_set
        return

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
