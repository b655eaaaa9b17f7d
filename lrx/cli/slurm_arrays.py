"""Arrays of a sweep on Slurm, which refuses one of more than MaxArraySize jobs (1,001 unless the cluster sets it).

Slurm limits the jobs that run at a time for each array alone. A sweep of several arrays keeps its own limit: each array
has a part of it, and as many jobs for that part as the others have for theirs, so that all end at about the same time.
Where there are more arrays than jobs may run, each begins when an earlier one has ended.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class SlurmLimits:
    """Limits of a cluster. array_size: jobs of an array; jobs: of all users, waiting, running or just over."""

    array_size: int
    jobs: int

    def check(self, num_jobs: int) -> None:
        """Raise ValueError for a sweep of more jobs than Slurm holds."""
        if num_jobs > self.jobs:
            raise ValueError(
                f"a sweep of {num_jobs:,} jobs is more than this Slurm holds (MaxJobCount={self.jobs}); submit it in "
                "parts, each with a part of the values"
            )


@dataclass(frozen=True)
class JobArray:
    """Part of a sweep.

    jobs: numbers of its jobs in the sweep. parallel: how many of them may run at a time. after: number of the array
    that must have ended before; None for one that begins at once.
    """

    jobs: range
    parallel: int
    after: int | None


def ask_limits() -> SlurmLimits:
    """Ask Slurm for its limits; ValueError when it does not answer."""
    try:
        asked = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise ValueError(f"Slurm cannot be asked for its limits: scontrol: {error.strerror}") from error
    found = dict(re.findall(r"^(MaxArraySize|MaxJobCount)\s*=\s*(\d+)", asked.stdout, re.M))
    if len(found) < 2:
        reason = " ".join(asked.stderr.split()) or "scontrol show config names no MaxArraySize and MaxJobCount"
        raise ValueError(f"Slurm does not say its limits: {reason}")
    return SlurmLimits(max(1, int(found["MaxArraySize"])), int(found["MaxJobCount"]))


def split(num_jobs: int, *, array_size: int, max_parallel: int) -> list[JobArray]:
    """Split a sweep into as few arrays as keep both limits: jobs of an array, and jobs that run at a time in all."""
    parallel = min(max_parallel, num_jobs)
    count = -(-num_jobs // array_size)
    while count < parallel and -(-num_jobs * -(-parallel // count) // parallel) > array_size:
        count += 1  # the array with the largest part of the limit would have too many jobs
    lanes = min(count, parallel)  # arrays that run beside each other
    if count > lanes:
        count = min(num_jobs, lanes * -(-count // lanes))
    parts = [parallel // lanes + (lane < parallel % lanes) for lane in range(lanes)]
    weights = [parts[number % lanes] for number in range(count)]
    ends = [num_jobs * sum(weights[: number + 1]) // sum(weights) for number in range(count)]
    return [
        JobArray(range(begin, end), parts[number % lanes], number - lanes if number >= lanes else None)
        for number, (begin, end) in enumerate(zip([0, *ends], ends, strict=False))
    ]
