"""Memory that this process may still take: of the machine, of its control group, and below its own limit.

Read from Linux's /proc and /sys; None where there is no such file, as on other systems.
"""

from __future__ import annotations

import resource
from pathlib import Path

from lrx.core.control_groups import ROOT, control_groups, read

PAGE = resource.getpagesize()
# by the version of control groups: limit, what is used, and what of it is cached files
FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def free_memory(root: Path = ROOT) -> int | None:
    """Return the bytes that this process can still take; None where the system does not say."""
    found = [_available(root), *_left_of_groups(root), _below_limit(root)]
    return min((number for number in found if number is not None), default=None)


def _available(root: Path) -> int | None:
    for line in read(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _left_of_groups(root: Path) -> list[int]:
    """Return what is left of each limit of the control groups around this process, without cached files."""
    left = []
    for version, folder in control_groups("memory", root):
        limit, used = (read(folder / name) for name in FILES[version][:2])
        if limit.isdecimal() and used.isdecimal():
            stat = dict(line.split() for line in read(folder / "memory.stat").splitlines())
            left.append(max(0, int(limit) - int(used) + int(stat.get(FILES[version][2], 0))))
    return left


def _below_limit(root: Path) -> int | None:
    """Return what is left of the address space that `ulimit -v` grants; None without a limit."""
    limit, taken = resource.getrlimit(resource.RLIMIT_AS)[0], read(root / "proc/self/statm").split()
    return None if limit == resource.RLIM_INFINITY or not taken else max(0, limit - int(taken[0]) * PAGE)
