"""Interactive shells of Slurm steps: real processes, of which the task's is on a terminal or is not."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from lrx.training import distributed
from lrx.training.distributed import SINGLE_PROCESS
from lrx.training.slurm_shell import in_slurm_shell

CPU = torch.device("cpu")


@contextmanager
def task(*command: str, terminal: bool) -> Iterator[dict[str, str]]:
    """Start a process as Slurm starts a task, with a terminal of its own or without; yield the task's variables."""
    ours, theirs = pty.openpty()
    streams = theirs if terminal else subprocess.PIPE
    words = [sys.executable, "-c", LEADER, *command] if terminal else command
    process = subprocess.Popen(words, stdin=streams, stdout=streams, stderr=streams, start_new_session=True)
    try:
        if terminal:
            assert os.read(ours, 1)  # the prompt, or what the script prints: the command runs by now
        yield {"SLURM_TASK_PID": str(process.pid), "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_ID": "0"}
    finally:
        process.kill()
        process.communicate() if not terminal else process.wait()
        os.close(ours)
        os.close(theirs)


# makes its standard input its terminal, as slurmstepd does for the first task of --pty, and becomes the command
LEADER = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


@pytest.mark.parametrize("command", [["bash"], ["bash", "--norc", "-i"], ["sh"]])
def test_shell_on_a_terminal_is_interactive(command: list[str]) -> None:
    with task(*command, terminal=True) as variables:
        assert in_slurm_shell(variables)


def test_scripts_and_tasks_without_terminal_are_not(tmp_path: Path) -> None:
    (tmp_path / "train.sh").write_text("echo ready; read line")
    for command in (["sh", str(tmp_path / "train.sh")], ["bash", "-c", "echo ready; read line; true"]):
        with task(*command, terminal=True) as variables:
            assert not in_slurm_shell(variables)
    with task("sh", terminal=False) as variables:  # srun bash, which waits for its standard input
        assert not in_slurm_shell(variables)
    for gone in ({}, {"SLURM_TASK_PID": "4194305"}, {"SLURM_TASK_PID": "x"}):
        assert not in_slurm_shell(gone)


def test_training_in_a_shell_starts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    warning = pytest.warns(UserWarning, match="allocated 4 tasks but only one .* with `srun --overlap lrx train")
    with task("bash", terminal=True) as variables, monkeypatch.context() as patched:
        for name, value in (variables | {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}).items():
            patched.setenv(name, value)
        with warning, distributed.process_group(CPU) as group:
            assert group == (SINGLE_PROCESS, CPU)
