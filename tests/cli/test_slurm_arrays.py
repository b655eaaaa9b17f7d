"""Arrays of a sweep on Slurm: how jobs are divided, and how many of them can run at a time."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from lrx.cli.slurm_arrays import JobArray, SlurmLimits, ask_limits, split

CONFIG = "Configuration data as of 2026-01-01\nMaxArraySize            = 1001\nMaxDBDMsgs = 1\nMaxJobCount  = 10000\n"


def most_at_a_time(arrays: list[JobArray]) -> int:
    """The largest number of jobs that Slurm may run at a time: arrays of one chain exclude each other."""
    chains: dict[int, int] = {}
    for number, array in enumerate(arrays):
        chains[number] = max(array.parallel, 0 if array.after is None else chains.pop(array.after))
    return sum(chains.values())


def test_split_keeps_both_limits() -> None:
    for num_jobs, size, parallel in itertools.product((1, 2, 5, 9, 10, 31, 60), (1, 2, 4, 7, 60), (1, 2, 3, 5, 64)):
        arrays = split(num_jobs, array_size=size, max_parallel=parallel)
        assert [job for array in arrays for job in array.jobs] == list(range(num_jobs))
        assert max(len(array.jobs) for array in arrays) <= size
        assert min(len(array.jobs) for array in arrays) >= 1
        assert most_at_a_time(arrays) == min(parallel, num_jobs)
        after = [array.after for array in arrays if array.after is not None]
        assert len(set(after)) == len(after)  # chains do not fork, and wait for what is submitted before
        assert all(array.after is None or array.after < number for number, array in enumerate(arrays))


@pytest.mark.parametrize(
    ("num_jobs", "parallel", "expected"),
    [
        (1001, 64, [(1001, 64, None)]),
        (1100, 64, [(550, 32, None), (550, 32, None)]),
        (1100, 3, [(733, 2, None), (367, 1, None)]),  # as long as each other
        (1100, 1, [(550, 1, None), (550, 1, 0)]),
        (2000, 3, [(666, 1, None), (667, 1, None), (667, 1, None)]),  # 2 of 3 would be 1,333 jobs
    ],
)
def test_split_at_default_size(num_jobs: int, parallel: int, expected: list[tuple[int, int, int | None]]) -> None:
    arrays = split(num_jobs, array_size=1001, max_parallel=parallel)
    assert [(len(array.jobs), array.parallel, array.after) for array in arrays] == expected


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "scontrol"


def test_ask_limits(scontrol: Path) -> None:
    with pytest.raises(ValueError, match="cannot be asked for its limits: scontrol: No such file"):
        ask_limits()
    for text, line in (("echo down >&2; exit 1", "limits: down"), ("echo MaxJobCount=5", "names no MaxArraySize")):
        scontrol.write_text(f"#!/bin/sh\n{text}\n")
        scontrol.chmod(0o755)
        with pytest.raises(ValueError, match=line):
            ask_limits()
    scontrol.write_text(f"#!/bin/sh\necho '{CONFIG}'\n")
    limits = ask_limits()
    assert limits == SlurmLimits(array_size=1001, jobs=10000)
    limits.check(10000)
    with pytest.raises(ValueError, match="10,001 jobs is more than this Slurm holds"):
        limits.check(10001)
