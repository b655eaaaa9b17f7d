"""One training loop, by steps, readable from top to bottom.

Everything random in step t derives from (seed, t): the batch, and the noise of the loss. A run that was killed at
any moment and started again therefore ends, on the same machine, with bit for bit the weights of one that was not.
Several processes share each batch, see lrx.training.distributed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lrx.core.devices import configure_backends, to_device
from lrx.core.types import Dataset, Grouped, Paired, Sampled, Trainable, as_float
from lrx.training import checkpoint
from lrx.training.compile import compile_parts, should_compile
from lrx.training.distributed import ALONE, Ranks

SCHEDULES = ("constant", "cosine")
PRECISIONS = ("auto", "float32", "tf32", "bf16")

Row = Mapping[str, float]


@dataclass(frozen=True)
class TrainSettings:
    """How to train; the keys of configs/trainer/*.yaml. ValueError names a key that makes no sense.

    schedule: of the learning rate, after `warmup_steps` of linear rise. clip: the largest gradient norm, or null.
    precision: `bf16` runs the network under autocast; `auto` means bf16 on CUDA and float32 elsewhere; `tf32` lets CUDA
    round the factors of float32 products. compile: see `compiles`.
    """

    steps: int
    batch_size: int
    lr: float
    betas: Sequence[float]
    amsgrad: bool
    schedule: str
    warmup_steps: int
    clip: float | None
    precision: str
    compile: bool | str
    channels_last: bool
    checkpoint_every: int
    log_every: int
    device: str

    def __post_init__(self) -> None:
        for key in ("steps", "batch_size", "checkpoint_every", "log_every", "warmup_steps"):
            value, least = getattr(self, key), 0 if key == "warmup_steps" else 1
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"trainer.{key} must be a whole number of at least {least}, not {value!r}")
        for key in ("lr", "clip"):
            value = getattr(self, key)
            if value is None and key == "clip":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise ValueError(f"trainer.{key} must be a positive number, not {value!r}")
        for key in ("amsgrad", "channels_last"):
            if not isinstance(getattr(self, key), bool):
                raise ValueError(f"trainer.{key} must be true or false, not {getattr(self, key)!r}")
        if not isinstance(self.compile, bool) and self.compile != "auto":
            raise ValueError(f"trainer.compile must be auto, true or false, not {self.compile!r}")
        betas = self.betas
        if (
            not isinstance(betas, Sequence)
            or len(betas) != 2
            or not all(isinstance(beta, int | float) and 0 <= beta < 1 for beta in betas)
        ):
            raise ValueError(f"trainer.betas must be two numbers in [0, 1), not {betas!r}")
        for key, choices in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, key) not in choices:
                raise ValueError(f"trainer.{key} must be one of {', '.join(choices)}, not {getattr(self, key)!r}")


class Diverged(ValueError):
    """The loss is no longer a finite number."""


def train(
    model: Trainable,
    dataset: Dataset,
    settings: TrainSettings,
    *,
    seed: int,
    device: torch.device,
    path: Path,
    config: str,
    ranks: Ranks = ALONE,
    on_start: Callable[[int], None] | None = None,
    on_step: Callable[[int], None] | None = None,
    on_log: Callable[[int, Row], None] | None = None,
    stopping: Callable[[], bool] | None = None,
) -> None:
    """Train a model until `settings.steps`, from the checkpoint at `path` if there is one.

    config is kept in the checkpoint as text. ranks: the processes that train together; the first one saves. on_start
    gets the step to start from, on_step each step that was done, on_log every log_every steps the scalars of the loss.
    stopping: asked at the end of each step; if true, the step is saved and KeyboardInterrupt raised.
    Between two of them nothing waits for the device. Diverged if a logged or checkpointed loss is not finite.
    """
    assert isinstance(model, nn.Module)
    configure_backends(device, tf32=settings.precision == "tf32", repeatable=True)
    model.to(device)
    if settings.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if compiles(settings, device):
        compile_parts(model)
    optimizer = torch.optim.Adam(
        model.parameter_groups() if isinstance(model, Grouped) else model.parameters(),
        settings.lr,
        (settings.betas[0], settings.betas[1]),
        amsgrad=settings.amsgrad,
        fused=device.type in ("cpu", "cuda"),
    )
    rates = [group["lr"] for group in optimizer.param_groups]
    torch.manual_seed(seed)
    data = {"name": dataset.name, "source": dataset.source, "fingerprint": dataset.fingerprint}
    start = checkpoint.resume(path, model, optimizer, data) if path.exists() else 0
    ranks.agree(start)
    if on_start:
        on_start(start)
    autocast = settings.precision == "bf16" or (settings.precision == "auto" and device.type == "cuda")
    sample = dataset.sample if isinstance(dataset, Sampled) else None
    order = BatchOrder(len(dataset) if sample is None else len(sample), settings.batch_size, seed)
    mine = ranks.part(model, order.batch_size, device)
    generator = mine.generator
    model.train()
    for step in range(start, settings.steps):
        indices = order.batch(step) if sample is None else sample[order.batch(step)]
        if isinstance(model, Paired):
            chance = torch.Generator().manual_seed(derived_seed(seed, "partners", step))
            indices = torch.cat([indices, model.partners(dataset, indices, chance)])
        x = as_float(to_device(dataset.raw(indices[mine.rows]), device))
        if settings.channels_last and x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        factor = schedule(settings, step)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        generator.manual_seed(derived_seed(seed, "noise", step))
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            losses = model.loss(x, step=step, generator=generator)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        mine.average_gradients(model)
        if settings.clip is not None:
            for group in optimizer.param_groups:
                nn.utils.clip_grad_norm_(group["params"], settings.clip)
        optimizer.step()

        done = step + 1
        log, save = (
            done % every == 0 or done == settings.steps for every in (settings.log_every, settings.checkpoint_every)
        )
        stop = stopping is not None and stopping() and done < settings.steps
        save |= stop
        if log or save:
            row = mine.average(losses)
            if not math.isfinite(row["loss"]):
                raise Diverged(
                    f"the loss is {row['loss']} at step {done}; lower trainer.lr={settings.lr:g}, or set trainer.clip=1"
                )
            if log and on_log:
                on_log(done, {**row, "lr": settings.lr * factor})
        if save and ranks.leads:
            checkpoint.save(
                path, model=model, optimizer=optimizer, step=done, steps=settings.steps, config=config, data=data
            )
        if on_step:
            on_step(done)
        if stop:
            raise KeyboardInterrupt(f"stopped at step {done} of {settings.steps}, which is saved")


def compiles(settings: TrainSettings, device: torch.device) -> bool:
    """Whether a run compiles its networks, which takes its first step a minute longer: as `compile` says."""
    return should_compile(settings.compile, device, images=settings.steps * settings.batch_size)


class BatchOrder:
    """Which observations step t sees: each epoch is a permutation derived from (seed, epoch), cut into batches.

    The remainder of an epoch that fills no batch is left out; a data set smaller than a batch is one batch.
    """

    def __init__(self, size: int, batch_size: int, seed: int) -> None:
        self._size, self.batch_size, self._seed = size, min(batch_size, size), seed
        self._epoch, self._permutation = -1, torch.empty(0, dtype=torch.int64)

    def batch(self, step: int) -> Tensor:
        """The indices of step `step`, int64 (B,)."""
        epoch, position = divmod(step, self._size // self.batch_size)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derived_seed(self._seed, "epoch", epoch))
            self._epoch, self._permutation = epoch, torch.randperm(self._size, generator=generator)
        return self._permutation[position * self.batch_size : (position + 1) * self.batch_size]


def schedule(settings: TrainSettings, step: int) -> float:
    """What learning rates are multiplied by at step `step` (from 0): a linear rise to 1, then constant, or half a
    cosine down to zero at the last step."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return 1.0
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return (1 + math.cos(math.pi * progress)) / 2


def derived_seed(seed: int, purpose: str, number: int) -> int:
    """A 63-bit seed for one purpose and one number; seeds that differ in anything are unrelated."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
