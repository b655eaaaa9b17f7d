"""Number of threads of torch: what was given to the process, whatever MKL_NUM_THREADS is."""

from __future__ import annotations

from collections.abc import Iterator

import joblib
import pytest
import torch

from lrx.core.threads import set_threads, threads_given


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Three threads by torch's own choice, on a machine of eight cores."""
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
    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    assert threads_given(environment) == expected


def test_threads_of_bound_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    set_threads({"SLURM_CPUS_PER_TASK": "2"})
    assert torch.get_num_threads() == 1
    set_threads({"OMP_NUM_THREADS": "2"})
    assert torch.get_num_threads() == 2
