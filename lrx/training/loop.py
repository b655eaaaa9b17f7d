"""Training by steps: the loop, its settings, the order of batches and the schedule of the learning rate.

Everything random in step t derives from (seed, t): the batch, and the noise of the loss. A run that was killed at
any moment and started again therefore ends, on the same machine, with bit for bit the weights of one that was not.
Several processes share each batch, see lrx.training.distributed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lrx.core.data_identity import observations_fingerprint, training_fingerprint
from lrx.core.devices import configure_backends, to_device
from lrx.core.settings import Checked, setting
from lrx.core.types import Dataset, Grouped, Paired, Sampled, Trainable, as_float
from lrx.core.validation import SettingError, is_number
from lrx.training import checkpoint
from lrx.training.compile import compile_networks, should_compile
from lrx.training.distributed import SINGLE_PROCESS, Ranks
from lrx.training.local_batch import local_batch
from lrx.training.observers import Observer, Observers
from lrx.training.precision import training_precision
from lrx.training.sigint import interrupt_flag

PRECISIONS = ("auto", "float32", "tf32", "bf16")


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Checked):
    """Settings of a training run, the keys of configs/trainer/*.yaml. SettingError names a key out of range."""

    steps: int = setting(100_000, "optimiser steps of the whole run", at_least=1)
    batch_size: int = setting(64, "images per step", at_least=1)
    lr: float = setting(1e-4, "learning rate of Adam", positive=True)
    betas: list[float] = setting([0.9, 0.999], "decay of Adam's two moments")
    amsgrad: bool = setting(False, "keep the largest second moment")
    schedule: str = setting("constant", "learning rate after warmup_steps", choices=("constant", "cosine"))
    warmup_steps: int = setting(0, "steps of a linear rise of the learning rate", at_least=0)
    clip: float | None = setting(None, "largest gradient norm of a parameter group; null: no clipping", positive=True)
    precision: str = setting("auto", "auto: see lrx.training.precision; tf32: CUDA only", choices=PRECISIONS)
    compile: bool | str = setting(False, "torch.compile: true, false, or auto (long runs on CUDA)")
    channels_last: bool = setting(True, "memory order of images and convolutions")
    checkpoint_every: int = setting(1000, "steps between two checkpoints", at_least=1)
    log_every: int = setting(100, "steps between two rows of metrics", at_least=1)
    device: str = setting("auto", "auto, cpu, cuda or cuda:1")

    def check(self) -> None:
        """Check `compile` and `betas`."""
        if not isinstance(self.compile, bool) and self.compile != "auto":
            raise SettingError(f"compile must be auto, true or false, not {self.compile!r}")
        pair = isinstance(self.betas, Sequence) and len(self.betas) == 2
        if not pair or not all(is_number(beta) and 0 <= beta < 1 for beta in self.betas):
            raise SettingError(f"betas must be two numbers in [0, 1), not {self.betas!r}")

    def compiles(self, device: torch.device) -> bool:
        """Return whether a run on this device compiles its networks, which takes its first step a minute longer."""
        return should_compile(self.compile, device, images=self.steps * self.batch_size)


class DivergedError(ValueError):
    """Loss that is no longer a finite number."""


def train(
    model: Trainable,
    dataset: Dataset,
    settings: TrainSettings,
    *,
    seed: int,
    path: Path,
    config: str = "",
    ranks: Ranks = SINGLE_PROCESS,
    observer: Observer | None = None,
) -> None:
    """Train a model until `settings.steps`, on the device of its parameters; resume from the checkpoint at `path`.

    config: yaml text stored in the checkpoint. ranks: place among the processes that train together; rank 0 saves.
    observer: follows the run (lrx.training.observers) and is closed at the end. Between two logs or checkpoints nothing
    waits for the device.
    A single process that gets Ctrl-C finishes and saves the step it is in, then raises KeyboardInterrupt; the second
    Ctrl-C raises it at once. DivergedError if a logged or checkpointed loss is not finite; ValueError if the checkpoint
    is of other data.
    """
    assert isinstance(model, nn.Module)
    observer = observer or Observers()
    device = next(model.parameters()).device
    with closing(observer), interrupt_flag(enabled=ranks.world_size == 1) as is_interrupted:
        optimizer = _prepare(model, settings, device)
        rates = [group["lr"] for group in optimizer.param_groups]
        torch.manual_seed(seed)
        data = {"name": dataset.name, "source": dataset.source, "fingerprint": training_fingerprint(dataset, model)}
        earlier = observations_fingerprint(dataset)  # of every training of version 0.1.0
        start, before = checkpoint.resume(path, model, optimizer, data, earlier) if path.exists() else (0, None)
        ranks.check_equal_across_ranks({"the step to start at": str(start)}, "they must see the same run folder")
        observer.start(start)
        is_image = len(dataset.observation_shape) == 3
        precision = training_precision(settings.precision, device, is_image=is_image, before=before)
        ranks.check_equal_across_ranks({"trainer.precision": precision}, "give one in place of auto")
        data["precision"] = precision
        sample = dataset.sample if isinstance(dataset, Sampled) else None
        order = BatchOrder(len(dataset) if sample is None else len(sample), settings.batch_size, seed)
        local = local_batch(ranks, model, order.batch_size, device)
        model.train()
        for step in range(start, settings.steps):
            indices = order.batch(step) if sample is None else sample[order.batch(step)]
            if isinstance(model, Paired):
                generator = torch.Generator().manual_seed(derived_seed(seed, "partners", step))
                indices = torch.cat([indices, model.partners(dataset, indices, generator)])
            raw = to_device(dataset.raw(indices[local.rows]), device)
            if settings.channels_last and raw.ndim == 4:  # of bytes, which are fewer than floats
                raw = raw.contiguous(memory_format=torch.channels_last)
            x = as_float(raw)
            factor = schedule(settings, step)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            local.generator.manual_seed(derived_seed(seed, "noise", step))
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                losses = model.loss(x, step=step, generator=local.generator)
            losses["loss"].backward()  # type: ignore[no-untyped-call]
            local.average_gradients(model)
            if settings.clip is not None:
                for group in optimizer.param_groups:
                    nn.utils.clip_grad_norm_(group["params"], settings.clip)
            optimizer.step()

            done = step + 1
            is_last = done == settings.steps
            stop = is_interrupted() and not is_last
            log = done % settings.log_every == 0 or is_last
            save = done % settings.checkpoint_every == 0 or is_last or stop
            if log or save:
                row = local.average_scalars(losses)
                if not math.isfinite(row["loss"]):
                    raise DivergedError(
                        f"the loss is {row['loss']} at step {done}; lower lr={settings.lr:g}, or set clip=1"
                    )
                if log:
                    observer.log(done, {**row, "lr": settings.lr * factor})
            if save and ranks.is_main:
                checkpoint.save(
                    path, model=model, optimizer=optimizer, step=done, steps=settings.steps, config=config, data=data
                )
            observer.step(done)
            if stop:
                raise KeyboardInterrupt(f"stopped at step {done} of {settings.steps}, which is saved")


def _prepare(model: Trainable, settings: TrainSettings, device: torch.device) -> torch.optim.Optimizer:
    """Set up backends, memory order and compilation for a run; return its optimiser."""
    assert isinstance(model, nn.Module)
    configure_backends(device, tf32=settings.precision == "tf32", repeatable=True)
    if settings.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if settings.compiles(device):
        compile_networks(model)
    return torch.optim.Adam(
        model.parameter_groups() if isinstance(model, Grouped) else model.parameters(),
        settings.lr,
        (settings.betas[0], settings.betas[1]),
        amsgrad=settings.amsgrad,
        fused=device.type in ("cpu", "cuda"),
    )


class BatchOrder:
    """Order of observations: each epoch is a permutation derived from (seed, epoch), cut into batches.

    The remainder of an epoch that fills no batch is left out; a data set smaller than a batch is one batch.
    """

    def __init__(self, size: int, batch_size: int, seed: int) -> None:
        self._size, self.batch_size, self._seed = size, min(batch_size, size), seed
        self._epoch, self._permutation = -1, torch.empty(0, dtype=torch.int64)

    def batch(self, step: int) -> Tensor:
        """Return the indices of step `step` (from 0), int64 (B,)."""
        epoch, position = divmod(step, self._size // self.batch_size)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derived_seed(self._seed, "epoch", epoch))
            self._epoch, self._permutation = epoch, torch.randperm(self._size, generator=generator)
        return self._permutation[position * self.batch_size : (position + 1) * self.batch_size]


def schedule(settings: TrainSettings, step: int) -> float:
    """Return the factor of learning rates at step `step` (from 0).

    A linear rise to 1 over warmup_steps, then constant, or half a cosine down to zero at the last step.
    """
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return 1.0
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return (1 + math.cos(math.pi * progress)) / 2


def derived_seed(seed: int, purpose: str, number: int) -> int:
    """Return a 63-bit seed for one purpose and one number; seeds that differ in any of the three are unrelated."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
