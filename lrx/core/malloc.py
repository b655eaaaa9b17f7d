"""Keep freed memory in the process instead of giving it back to the system after every tensor.

glibc maps each large tensor anew and unmaps it when it is freed; the page faults of a training step's activations then
cost a third of its time (scripts/bench_train.py). With these two thresholds out of reach the pages stay and are used
again. Other C libraries have no mallopt, or need none: there this does nothing.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
OUT_OF_REACH = 2**31 - 1  # bytes; the largest that mallopt takes


def keep_freed_memory() -> bool:
    """Set both thresholds for this process; whether the C library took them."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, OUT_OF_REACH)) and bool(mallopt(M_TRIM_THRESHOLD, OUT_OF_REACH))
