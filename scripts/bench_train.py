"""Time training by lrx against a plain loop, on the same network and images.

python scripts/bench_train.py [--quick] [--threads 2]

The plain loop is that of a tutorial: contiguous tensors, unfused Adam, a DataLoader over a TensorDataset of floats, and
the default allocator.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from benchmodel import ROOT, of_torch, train_settings
from benchrate import has_bf16, matrix_rate, operations
from benchsides import Side, Turns, in_turns, ratio, spread
from benchtable import Row, Section, main
from torch import Tensor

from lrx.core.types import Dataset, as_float
from lrx.data.dsprites import dsprites
from lrx.models.networks.conv64 import conv64
from lrx.models.vae import VAE
from lrx.training.loop import train

FLOAT32, BF16 = 1.5, 2.0  # demanded
WARM_UP = 10  # steps that are not counted
LATENTS, BATCH, IMAGES, RATE = 10, 64, 4096, 1e-4
PLAIN = "plain loop"


def vae() -> VAE:
    torch.manual_seed(0)
    return VAE(
        network=conv64,
        observation_shape=(1, 64, 64),
        latent_dim=LATENTS,
        reconstruction="bernoulli",
        variance=1.0,
        kl="exact",
    )


def plain_loss(model: VAE, x: Tensor, noise: Tensor) -> Tensor:
    """Return the loss of a VAE by a direct implementation."""
    mean, log_std = model._split(model.encoder(x))
    logits = model.decoder(mean + log_std.exp() * noise)
    rec = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 2 * log_std - 1).sum(1).mean()
    return rec + kl


def plain_steps(model: VAE, images: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Train without end, and yield the loss of each step."""
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images), batch_size, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    while True:
        for (x,) in loader:
            loss = plain_loss(model, x, torch.randn(len(x), model.latent_dim))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield loss


def plain_side(batch_size: int, steps: int, turns: Turns) -> None:
    data = dsprites(root=ROOT, source="auto")
    images = as_float(data.raw(torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:IMAGES]))
    trained = plain_steps(of_torch(vae()), images, batch_size)
    for _ in range(WARM_UP):
        next(trained)
    for _ in turns:
        for _ in range(steps):
            next(trained)


def lrx_side(batch_size: int, steps: int, num_turns: int, precision: str, compiled: bool, turns: Turns) -> None:
    """Run lrx.training.loop.train as `lrx train` calls it, and store the seconds of its first steps."""
    run_training(vae(), dsprites(root=ROOT, source="auto"), batch_size, steps, num_turns, precision, compiled, turns)


class TurnTaker:
    """Observer that waits for the next turn every `steps` steps, once the first ones are done."""

    def __init__(self, turns: Turns, steps: int) -> None:
        self._turns, self._steps, self._waiting = turns, steps, iter(turns)
        self._began = time.perf_counter()

    def start(self, step: int) -> None:
        """Do nothing."""

    def log(self, step: int, row: Mapping[str, float]) -> None:
        """Do nothing."""

    def step(self, n: int) -> None:
        """Store the time of the first steps, and wait between turns."""
        if n == WARM_UP:
            self._turns.found = time.perf_counter() - self._began
        if n >= WARM_UP and (n - WARM_UP) % self._steps == 0:
            next(self._waiting, None)

    def close(self) -> None:
        """Do nothing."""


def run_training(
    model: VAE, data: Dataset, batch_size: int, steps: int, num_turns: int, precision: str, compiled: bool, turns: Turns
) -> None:
    """Run one training with `steps` steps per turn. It waits between turns, and before the last step, which writes the
    checkpoint, as a real run does once in 1,000 steps."""
    settings = train_settings(
        steps=WARM_UP + steps * num_turns + 1,
        batch_size=batch_size,
        lr=RATE,
        checkpoint_every=10**9,
        log_every=100,
        precision=precision,
        compiled=compiled,
    )
    folder = Path(tempfile.mkdtemp())
    path = folder / "checkpoint.pt"
    train(model, data, settings, seed=0, path=path, observer=TurnTaker(turns, steps))
    shutil.rmtree(folder)


def measure(*, quick: bool, threads: int) -> Section:
    turns, steps = (2, 5) if quick else (3, 40)
    dsprites(root=ROOT, source="auto")  # rendered before the sides begin, if it has to be
    kinds = {"lrx": ("float32", False)}
    if has_bf16():
        kinds["lrx, bf16"] = ("bf16", False)
    if shutil.which("c++") and not quick:
        kinds |= {f"{name}, compiled": (precision, True) for name, (precision, _) in kinds.items()}
    sides = [Side(PLAIN, functools.partial(plain_side, BATCH, steps), keep_memory=False)]
    for name, (precision, compiled) in kinds.items():
        sides.append(Side(name, functools.partial(lrx_side, BATCH, steps, turns, precision, compiled)))
    found = in_turns(sides, turns=turns, threads=threads)

    model, x = vae(), torch.rand(BATCH, 1, 64, 64)
    step = operations(lambda: plain_loss(model, x, torch.zeros(BATCH, LATENTS)).backward())
    rates = {kind: matrix_rate(getattr(torch, kind), threads) for kind in ("float32", "bfloat16")}
    best = {
        half: max(
            (name for name in kinds if ("bf16" in name) == half), key=lambda name: ratio(found[PLAIN], found[name])
        )
        for half in (False, True)
        if not half or has_bf16()
    }
    rows = []
    for name, side in found.items():
        half = "bf16" in name
        cost = spread([1000 * seconds / steps for seconds in side.seconds])
        share = 1000 * step / cost.median / rates["bfloat16" if half else "float32"]
        if name == PLAIN:
            rows.append(Row(name, cost, share=share))
            continue
        times, least = ratio(found[PLAIN], side), BF16 if half else FLOAT32
        note = f"warm-up of {WARM_UP} steps: {side.found[0]:.0f} s" if "compiled" in name else ""
        if name == best[half]:
            rows.append(Row(name, cost, times, share, f"{least:g}", times.median >= least, note))
        else:
            rows.append(Row(name, cost, times, share, note=note))
    text = (
        f"A VAE with conv64 on dSprites, batches of {BATCH}, {steps} steps per turn. Plain: contiguous tensors, "
        "unfused Adam, a DataLoader over images in memory, as in a tutorial. The demand holds for the faster of "
        "compiled and not compiled, in each precision. All sides warm up at the same time, which takes longer than "
        "one alone."
    )
    return Section("Training", text, "ms a step", rows)


if __name__ == "__main__":
    main(measure, __doc__)
