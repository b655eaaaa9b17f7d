"""Processes that train one model together: started by torchrun, or as the tasks of a Slurm step.

They meet at MASTER_ADDR:MASTER_PORT (torch's env:// rendezvous). torchrun sets these; for a Slurm step submitit does.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
import socket
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread

import torch
import torch.distributed as dist

# Adam's first step imports this, and it keeps a group that exists by then for ever, as a default argument: the group's
# threads would outlive it, and now and then abort a process that ends. So it is imported here, before there is a group.
import torch.distributed.nn.functional
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from lrx.training.slurm_shell import in_slurm_shell

TIMEOUT = "LRX_PATIENCE"  # environment variable: seconds that processes wait for one another
DEFAULT_TIMEOUT = 600.0  # a process that dies is noticed at once, one that hangs or loses its machine after it
PORTS = range(20_000, 32_768)  # below those that Linux gives out by itself, see ip_local_port_range

_run_numbers = itertools.count()  # of the runs of a sweep


class LostPeerError(ValueError):
    """Another process of this training has ended, or does not answer."""


@dataclass(frozen=True)
class Ranks:
    """Place of this process among those that train together, in torch's words."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """True for rank 0, which writes files and logs."""
        return self.rank == 0

    def check_equal_across_ranks(self, values: Mapping[str, str], remedy: str) -> None:
        """Raise ValueError, in every process, unless all have the same values; it names the keys that differ."""
        if self.world_size == 1:
            return
        gathered: list[dict[str, str]] = [{} for _ in range(self.world_size)]
        with _one_line_errors():
            dist.all_gather_object(gathered, dict(values))
        different = {
            key: [each.get(key, "not there") for each in gathered]
            for key in sorted(set().union(*gathered))
            if len({each.get(key) for each in gathered}) > 1
        }
        if different:
            keys = "; ".join(f"{key} ({', '.join(each)})" for key, each in different.items())
            raise ValueError(f"the {self.world_size} processes of this training differ in {keys}: {remedy}")

    def check_own_gpus(self, device: torch.device) -> None:
        """Raise ValueError, in every process, if two processes have the same GPU."""
        gathered = [""] * self.world_size
        with _one_line_errors():
            dist.all_gather_object(gathered, f"{socket.gethostname()} {torch.cuda.get_device_properties(device).uuid}")
        if (count := len({*gathered})) < self.world_size:
            raise ValueError(
                f"the {self.world_size} processes of this training see {count} GPU{'s' if count > 1 else ''}, and each "
                "needs one of its own; start fewer, or give each its own, as srun --gpus-per-task 1 does"
            )

    def broadcast(self, text: str) -> str:
        """Return the text of rank 0."""
        if self.world_size == 1:
            return text
        texts = [text]
        with _one_line_errors():
            dist.broadcast_object_list(texts, src=0, device=torch.device("cpu"))
        return texts[0]


SINGLE_PROCESS = Ranks()


@contextmanager
def process_group(device: torch.device) -> Iterator[tuple[Ranks, torch.device]]:
    """Connect the processes of this training for the block; yield this one's ranks and device.

    ValueError when a process has no GPU of its own, LostPeerError when the others cannot be reached. Warns when Slurm
    allocated several tasks and only one process was started, as in an interactive shell.
    """
    several = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1
    if several and not _is_torchrun(os.environ) and not in_slurm_shell(os.environ):
        export_slurm_ranks()
    ranks, timeout = ranks_of(os.environ), _timeout(os.environ)
    if ranks.world_size == 1:
        _warn_unused_tasks(os.environ)
        yield ranks, device
        return
    if device.type == "cuda":
        # of those that it sees, which are its own alone in a step of `srun --gpus-per-task`
        device = torch.device("cuda", ranks.local_rank % torch.cuda.device_count())
        torch.cuda.set_device(device)
    with _one_line_errors():
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            store=PrefixStore(f"{step_name(os.environ)} run {next(_run_numbers)}", _store(ranks, timeout)),
            timeout=timeout,
            rank=ranks.rank,
            world_size=ranks.world_size,
        )
    try:
        if device.type == "cuda":
            ranks.check_own_gpus(device)
        yield ranks, device
        with suppress(LostPeerError):  # leave together: a process that still talks to one that is gone aborts
            all_reduce(torch.zeros(1))
    finally:
        dist.destroy_process_group()


def ranks_of(environment: Mapping[str, str]) -> Ranks:
    """Return the ranks that torchrun's variables give, else those of a single process."""
    if not _is_torchrun(environment):
        return SINGLE_PROCESS
    return Ranks(*(int(environment.get(name, 0)) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))


def export_slurm_ranks() -> None:
    """Set torchrun's variables (RANK, MASTER_PORT, ...) from those of the Slurm step that this process is a task of.

    submitit describes the job, not the step: two steps side by side would get one port, and a step that leaves out the
    job's first machine a wrong address. So it is given the machines of the step and a port that follows from the
    step's name; MASTER_ADDR and MASTER_PORT win. ValueError where submitit is not installed.
    """
    try:
        from submitit.helpers import TorchDistributedEnvironment, environment_variables
    except ImportError as error:
        raise ValueError(
            "training by the tasks of a Slurm step needs submitit: pip install -e '.[sweep]' in the checkout of lrx, "
            "or start with torchrun"
        ) from error
    step = {
        "SUBMITIT_EXECUTOR": "slurm",
        "SLURM_JOB_NODELIST": os.environ.get("MASTER_ADDR") or os.environ.get("SLURM_STEP_NODELIST", ""),
        "MASTER_PORT": os.environ.get("MASTER_PORT") or random.Random(step_name(os.environ)).choice(PORTS),
    }
    with environment_variables(**step):
        ranks = TorchDistributedEnvironment()
    ranks.export(set_cuda_visible_devices=False, overwrite=True)


def step_name(environment: Mapping[str, str]) -> str:
    """Return the name of a Slurm step such as 20007.0, with its restarts; two steps must not meet."""
    names = ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT")
    return ".".join(environment.get(name, "0") for name in names)


@functools.cache
def _store(ranks: Ranks, timeout: timedelta) -> Store:
    """Return the store where processes exchange addresses: one for all runs of a sweep, each under its own prefix.

    It connects in a thread, since torch's client waits without limit for a server that accepts and does not answer,
    such as a rank 0 that hangs, or another program at this port.
    """
    future: Future[Store] = Future()

    def connect() -> None:
        try:
            future.set_result(next(rendezvous("env://", ranks.rank, ranks.world_size, timeout=timeout))[0])
        except Exception as error:  # of torch, raised below
            future.set_exception(error)

    Thread(target=connect, daemon=True).start()
    host, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    try:
        return future.result(timeout.total_seconds())
    except (RuntimeError, TimeoutError) as error:
        if "EADDRINUSE" in str(error):
            raise ValueError(f"port {port} of {host} is in use; set MASTER_PORT to a free one") from error
        seconds = f"within {timeout.total_seconds():g} s"
        if ranks.is_main:
            raise LostPeerError(f"not all {ranks.world_size} processes came to {host}:{port} {seconds}") from error
        raise LostPeerError(f"rank 0 did not answer on {host}:{port} {seconds}") from error


def _is_torchrun(environment: Mapping[str, str]) -> bool:
    return "RANK" in environment and "WORLD_SIZE" in environment


def _timeout(environment: Mapping[str, str]) -> timedelta:
    given = environment.get(TIMEOUT, str(DEFAULT_TIMEOUT))
    with suppress(ValueError, OverflowError):
        if (seconds := float(given)) >= 1:  # torch takes less than a millisecond for no limit
            return timedelta(seconds=seconds)
    raise ValueError(f"{TIMEOUT} must be a number of seconds of at least 1, not {given!r}")


def _warn_unused_tasks(environment: Mapping[str, str]) -> None:
    shell = in_slurm_shell(environment)
    tasks = environment.get("SLURM_STEP_NUM_TASKS" if shell else "SLURM_NTASKS", "1")
    if tasks != "1" and (shell or "SLURM_STEP_ID" not in environment) and not _is_torchrun(environment):
        start = "srun --overlap" if shell else "srun"  # the shell's own step holds the cores
        warnings.warn(
            f"Slurm allocated {tasks} tasks but only one process is training; start with `{start} lrx train ...`",
            stacklevel=4,
        )


def all_reduce(tensor: Tensor) -> Tensor:
    """Return the sum over all processes, made in place."""
    with _one_line_errors():
        dist.all_reduce(tensor)
    return tensor


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Raise LostPeerError in place of torch's errors of a lost connection."""
    try:
        yield
    except RuntimeError as error:
        raise LostPeerError(
            "another process of this training has ended or cannot be reached; the same command goes on from the last "
            "checkpoint"
        ) from error
