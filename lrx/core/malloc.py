"""Allocator settings that keep freed memory in the process instead of returning it to the system.

glibc maps each large tensor anew and unmaps it when it is freed; the page faults of a training step's activations then
cost a third of its time (scripts/bench_train.py). With both thresholds at their maximum the pages stay and are reused.
Other C libraries have no mallopt, or need none: there this does nothing.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
MAX_BYTES = 2**31 - 1  # the largest threshold that mallopt takes


def keep_freed_memory() -> bool:
    """Set both thresholds for this process; return whether the C library accepted them."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, MAX_BYTES)) and bool(mallopt(M_TRIM_THRESHOLD, MAX_BYTES))
