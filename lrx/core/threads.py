"""Number of threads that torch computes with, from what the process was given.

By itself torch takes MKL_NUM_THREADS before OMP_NUM_THREADS. Profiles of many clusters set the first to 1, and a job of
eight cores then computes with one. Source: torch's notes on CPU threading.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lrx.core.control_groups import ROOT, control_groups, read


def set_threads(environment: Mapping[str, str]) -> None:
    """Have torch, and MKL within it, compute with as many threads as the process was given."""
    import torch

    torch.set_num_threads(threads_given(environment))


def threads_given(environment: Mapping[str, str]) -> int:
    """Return how many threads a process with these variables is to use.

    OMP_NUM_THREADS, where it is set: by a person, a launcher, torchrun, or joblib for its workers. Else in a Slurm job
    SLURM_CPUS_PER_TASK, else what torch takes by itself (MKL_NUM_THREADS, or a thread a core); neither of these two
    exceeds the CPUs of the process.
    """
    import torch  # not for those that count CPUs

    asked = _count(environment.get("OMP_NUM_THREADS", "").partition(",")[0])
    given = _count(environment.get("SLURM_CPUS_PER_TASK", ""))
    return asked or min(given or torch.get_num_threads(), cpus())


def cpus(root: Path = ROOT) -> int:
    """Return the CPUs that this process may use: those it is bound to, and the quotas of its control groups."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = []
    for version, folder in control_groups("cpu", root):
        text = read(folder / "cpu.max")
        if version == 1:
            text = f"{read(folder / 'cpu.cfs_quota_us')} {read(folder / 'cpu.cfs_period_us')}"
        quota, _, period = text.partition(" ")
        if quota.isdecimal() and period.isdecimal():  # not `max`, and not -1
            quotas.append(-(-int(quota) // int(period)))
    return min(bound, *quotas) if quotas else bound


def _count(text: str) -> int:
    """Return a number of threads, 0 where the text is none."""
    return int(text) if text.strip().isdecimal() else 0
