"""What becomes of a sweep when one of its jobs is refused: a line for each such job, and the others finish.

Hydra gives up a sweep at the first result that is an error. Here a refused job hands on its line instead, which may
come out of another process or from another machine.
"""

from __future__ import annotations

import os
import sys
from typing import cast

from hydra.core.utils import JobReturn, JobStatus


class SweepError(ValueError):
    """A job of a sweep failed: its line, and whether that went to a log rather than to the person who waits."""

    def __init__(self, line: str, logged: bool) -> None:
        super().__init__(line, logged)
        self.line, self.logged = line, logged

    def __str__(self) -> str:
        return self.line


refused: dict[str, SweepError] = {}  # by line; those that the sweep of this process has come to know


def refuse(number: int, overrides: str, why: str) -> SweepError:
    """The error of a job, once its line has been printed. What submitit runs prints to a log file."""
    error = SweepError(f"job {number} ({overrides}): {why}", "SUBMITIT_EXECUTOR" in os.environ)
    print(f"lrx: {error}", file=sys.stderr, flush=True)
    return error


def report() -> str | None:
    """Print the lines that nobody has seen yet; what is left to say at the end of a sweep, None if all went well."""
    for error in refused.values():
        if error.logged:
            print(f"lrx: {error}", file=sys.stderr)
    if not refused:
        return None
    return f"{len(refused)} job{'s' if len(refused) > 1 else ''} of this sweep failed, see above"


def _returned(job: JobReturn) -> object:
    if job.status == JobStatus.COMPLETED:
        return job._return_value
    error = cast(BaseException, job._return_value)
    if isinstance(error, SweepError):
        refused[error.line] = error
        return error
    raise error


# Hydra prints "Error executing job with overrides: [...]" before it raises; the command line has its own line for that.
JobReturn.return_value = property(_returned, JobReturn.return_value.fset)  # type: ignore
