"""Memory that is free: the least of the machine's, of every control group's, and of the process's own limit."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from lrx.core.free_memory import PAGE, free_memory


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


MEMORY = {"proc/meminfo": "MemTotal: 9000 kB\nMemFree: 100 kB\nMemAvailable:    8000 kB\n"}
VERSION_2 = {
    "proc/self/cgroup": "0::/job/step\n",
    "sys/fs/cgroup/job/step/memory.max": "max\n",
    "sys/fs/cgroup/job/step/memory.current": "1000\n",
    "sys/fs/cgroup/job/memory.max": "5000\n",  # of the group around it
    "sys/fs/cgroup/job/memory.current": "3000\n",
    "sys/fs/cgroup/job/memory.stat": "anon 2000\ninactive_file 700\n",
}
VERSION_1 = {
    "proc/self/cgroup": "5:cpu,cpuacct:/job\n4:memory:/job\n",
    "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "6000\n",
    "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "2500\n",
    "sys/fs/cgroup/memory/job/memory.stat": "total_inactive_file 100\n",
}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        (MEMORY, 8000 * 1024),
        (MEMORY | VERSION_2, 5000 - 3000 + 700),
        (MEMORY | VERSION_1, 6000 - 2500 + 100),
        (MEMORY | {"proc/self/cgroup": "0::/\n"}, 8000 * 1024),
    ],
)
def test_least_of_all_limits(
    files: dict[str, str], expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert free_memory(machine(tmp_path, files)) == expected


def test_own_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (10 * PAGE, 99 * PAGE))
    assert free_memory(machine(tmp_path, MEMORY | {"proc/self/statm": "7 5 3\n"})) == 3 * PAGE


def test_this_machine_says_something() -> None:
    free = free_memory()
    assert free is None or free > 0
