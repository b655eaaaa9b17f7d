"""Training by several processes, each with its rows of every batch: under torchrun, or as the tasks of a Slurm step.

The joined batch, its noise and its mean loss are those of one process. Gradients are summed over processes, each
weighted by its share of the rows, and every process takes the same step: there is nothing else to keep alike. So the
loss has to be a mean over images. Where rows do not divide evenly, the first processes have one more.
"""

from __future__ import annotations

import functools
import itertools
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

import torch
import torch.distributed as dist

# Adam's first step imports this, and it keeps a group that exists by then for ever, as a default argument: the group's
# threads would outlive it, and now and then abort a process that ends. So it is imported here, before there is a group.
import torch.distributed.nn.functional
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store

from lrx.core.row_noise import row_generator
from lrx.core.types import Paired, Trainable
from lrx.training import rendezvous

PATIENCE = "LRX_PATIENCE"  # the variable that says for how long, in seconds, processes wait for one another
LONG = 600.0  # unless it is set; a process that dies is noticed at once, one that hangs or loses its machine after it

_numbers = itertools.count()  # of the runs of a sweep


@runtime_checkable
class Averaged(Trainable, Protocol):
    """A Trainable that says whether the loss of a batch is the mean of the losses of its images, or pairs."""

    mean_over_images: bool


class LostError(ValueError):
    """Another process of this training has ended, or does not answer."""


@dataclass(frozen=True)
class Ranks:
    """The processes that train together: which one this is, of how many, and which on its machine."""

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks; the others only work."""
        return self.rank == 0

    def part(self, model: Trainable, batch_size: int, device: torch.device) -> Part:
        """This process's part of every batch. ValueError for a model or a batch that processes cannot share."""
        if self.size > 1:
            _check(model, batch_size, self.size)
        rows = torch.tensor_split(torch.arange(batch_size), self.size)[self.rank]
        share, total = len(rows) / batch_size, batch_size
        if isinstance(model, Paired):  # whose batches hold the partners after the images
            rows, total = torch.cat([rows, rows + batch_size]), 2 * batch_size
        generator = torch.Generator(device) if self.size == 1 else row_generator(device, rows, total)
        return Part(rows, share, generator)

    def agree(self, step: int) -> None:
        """ValueError unless all processes start from this step: they must see the same run folder."""
        self.agree_on({"the step to start at": str(step)}, "they must see the same run folder")

    def agree_on(self, told: Mapping[str, str], mend: str) -> None:
        """ValueError, in every process, unless all have the same values; it names what differs, and what to do."""
        if self.size == 1:
            return
        heard: list[dict[str, str]] = [{} for _ in range(self.size)]
        with _peers():
            dist.all_gather_object(heard, dict(told))
        different = {
            key: [values.get(key, "not there") for values in heard]
            for key in sorted(set().union(*heard))
            if len({values.get(key) for values in heard}) > 1
        }
        if different:
            what = "; ".join(f"{key} ({', '.join(values)})" for key, values in different.items())
            raise ValueError(f"the {self.size} processes of this training differ in {what}: {mend}")

    def of_first(self, text: str) -> str:
        """The text that the first process has."""
        if self.size == 1:
            return text
        told = [text]
        with _peers():
            dist.broadcast_object_list(told, src=0, device=torch.device("cpu"))
        return told[0]


ALONE = Ranks()


@dataclass(frozen=True)
class Part:
    """What a process has of every batch: rows int64 (B,), their share of it, and the generator of the loss for them."""

    rows: Tensor
    share: float
    generator: torch.Generator

    def average_gradients(self, model: nn.Module) -> None:
        """Put the gradients of the joined batch in place of this part's."""
        if self.share == 1:
            return
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        joined = _sum(torch.cat([gradient.flatten() for gradient in gradients]) * self.share)
        parts = torch.split(joined, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def average(self, scalars: Mapping[str, Tensor]) -> dict[str, float]:
        """The scalars of the joined batch, which are means over its images."""
        values = {key: value.item() for key, value in scalars.items()}
        if self.share == 1:
            return values
        joined = _sum(torch.tensor(list(values.values()), dtype=torch.float64) * self.share)
        return dict(zip(values, joined.tolist(), strict=True))


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[Ranks, torch.device]]:
    """The processes of this training, connected for the block, and the device of this one; alone, the device given.

    ValueError when a process has no GPU of its own, Lost when the others cannot be reached. Warns when Slurm gave room
    for several tasks, and nobody started them.
    """
    ranks, patience = ranks_of(os.environ), _patience(os.environ)
    if ranks.size == 1:
        tasks = os.environ.get("SLURM_NTASKS", "1")
        if tasks != "1" and "SLURM_STEP_ID" not in os.environ and not rendezvous.is_torchrun(os.environ):
            warnings.warn(
                f"this job has {tasks} tasks, of which one trains; srun lrx train ... has all of them take part",
                stacklevel=2,
            )
        yield ranks, device
        return
    if device.type == "cuda":
        if ranks.local >= torch.cuda.device_count():
            raise ValueError(
                f"process {ranks.local} of this machine has no GPU: there are {torch.cuda.device_count()}; start fewer"
            )
        device = torch.device("cuda", ranks.local)
        torch.cuda.set_device(device)
    with _peers():
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            store=PrefixStore(f"{rendezvous.step_name(os.environ)} run {next(_numbers)}", _store(ranks, patience)),
            timeout=patience,
            rank=ranks.rank,
            world_size=ranks.size,
        )
    try:
        yield ranks, device
        with suppress(LostError):  # leave together: a process that still talks to one that is gone aborts
            _sum(torch.zeros(1))
    finally:
        dist.destroy_process_group()


@functools.cache
def _store(ranks: Ranks, patience: timedelta) -> Store:
    """Where the processes tell each other their addresses; one for all runs of a sweep, each under a number."""
    return rendezvous.meet(os.environ, ranks.rank, ranks.size, patience)


def _patience(environment: Mapping[str, str]) -> timedelta:
    given = environment.get(PATIENCE, str(LONG))
    with suppress(ValueError, OverflowError):
        if (seconds := float(given)) >= 1:  # torch takes less than a millisecond for no limit
            return timedelta(seconds=seconds)
    raise ValueError(f"{PATIENCE} must be a number of seconds of at least 1, not {given!r}")


def ranks_of(environment: Mapping[str, str]) -> Ranks:
    """What torchrun's variables say, else those of a Slurm step (srun) of several tasks; else this process is alone."""
    if rendezvous.is_torchrun(environment):
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif int(environment.get("SLURM_STEP_NUM_TASKS", "1")) > 1:  # a batch script has a SLURM_NTASKS, but is no step
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    else:
        return ALONE
    return Ranks(*(int(environment.get(name, 0)) for name in names))


def _check(model: Trainable, batch_size: int, size: int) -> None:
    name = type(model).__name__
    if not (isinstance(model, Averaged) and model.mean_over_images):
        raise ValueError(
            f"{name} has a loss that looks across the batch, which {size} processes cannot share; train it in one"
        )
    assert isinstance(model, nn.Module)
    if any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules()):
        raise ValueError(
            f"the network of this {name} normalises across the batch, which {size} processes cannot share; train it in "
            "one, or take another network"
        )
    if batch_size < size:
        raise ValueError(f"{size} processes cannot share batches of {batch_size} images; start fewer")


def _sum(tensor: Tensor) -> Tensor:
    """The sum over all processes, in place."""
    with _peers():
        dist.all_reduce(tensor)
    return tensor


@contextmanager
def _peers() -> Iterator[None]:
    """torch's errors of a lost connection as one line."""
    try:
        yield
    except RuntimeError as error:
        raise LostError(
            "another process of this training has ended or cannot be reached; the same command goes on from the last "
            "checkpoint"
        ) from error
