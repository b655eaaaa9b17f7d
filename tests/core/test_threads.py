"""Number of threads of torch: what was given to the process, whatever MKL_NUM_THREADS is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lrx.core import threads
from lrx.core.threads import cpus, set_threads, threads_given


@pytest.fixture(autouse=True)
def three() -> Iterator[None]:
    """Three threads by torch's own choice."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 3),
        ({"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "1", "SLURM_CPUS_PER_TASK": "4"}, 2),
        ({"OMP_NUM_THREADS": "16"}, 16),  # asked for
        ({"OMP_NUM_THREADS": "4,2"}, 4),  # the outer of two levels
        ({"OMP_NUM_THREADS": "many", "SLURM_CPUS_PER_TASK": "4"}, 4),
        ({"MKL_NUM_THREADS": "1", "SLURM_CPUS_PER_TASK": "6"}, 6),
        ({"SLURM_CPUS_PER_TASK": "64"}, 8),  # of the batch script, whose step was bound to fewer
    ],
)
def test_threads_given(environment: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cpus", lambda: 8)
    assert threads_given(environment) == expected


def test_set_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cpus", lambda: 1)
    set_threads({"SLURM_CPUS_PER_TASK": "2"})
    assert torch.get_num_threads() == 1
    set_threads({"OMP_NUM_THREADS": "2"})
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/job/step", "job/step/cpu.max": "max 100000", "job/cpu.max": "250000 100000"}, 3),
        ({"proc/self/cgroup": "0::/", "cpu.max": "9900000 100000"}, 8),
        ({"proc/self/cgroup": "5:cpu,cpuacct:/job", "cpu/job/cpu.cfs_quota_us": "-1"}, 8),
        (
            {
                "proc/self/cgroup": "4:memory:/job\n5:cpu,cpuacct:/job",
                "cpu/job/cpu.cfs_quota_us": "200000",
                "cpu/job/cpu.cfs_period_us": "100000",
            },
            2,
        ),
    ],
)
def test_cpus(files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(8), raising=False)
    for name, text in files.items():
        path = tmp_path / name if name.startswith("proc") else tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert cpus(tmp_path) == expected
