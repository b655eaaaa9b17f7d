"""Compare training in bf16 with training in float32: loss curves over seeds, on a processor that computes bf16 quickly.

python scripts/precision_study.py [--channels 3] [--steps 2000] [--seeds 5] [--threads 2]

The VAE of scripts/bench_train.py at a rate of 1e-3, each seed once in each precision: same first weights, batches and
noise. The curve is the mean loss of ten windows of steps. `Seeds` is the standard deviation of float32 over seeds, what
another seed changes; `difference` is that of bf16 from float32, its mean and standard error over seeds. Held out: the
loss on images that no run saw, all in float32, with the same noise.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from bench_train import dataset, vae
from benchmodel import train_settings
from torch import Tensor

from lrx.core.malloc import keep_freed_memory
from lrx.core.types import as_float
from lrx.data.splits import part
from lrx.training.loop import train

WINDOWS, HELD_OUT, BATCH, RATE = 10, 2048, 64, 1e-3


class Losses:
    """Observer that keeps the loss of each step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def start(self, step: int) -> None:
        """Do nothing."""

    def log(self, step: int, row: Mapping[str, float]) -> None:
        """Keep the loss."""
        self.values.append(row["loss"])

    def step(self, n: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def curve(channels: int, precision: str, seed: int, steps: int) -> list[float]:
    """Train once; return the mean loss of each window of steps, and the loss on held-out images."""
    model, losses, data = vae(channels, seed), Losses(), dataset(channels)
    settings = train_settings(
        steps=steps, batch_size=BATCH, lr=RATE, checkpoint_every=steps, log_every=1, precision=precision
    )
    with tempfile.TemporaryDirectory() as folder:
        train(model, part(data, "train"), settings, seed=seed, path=Path(folder, "checkpoint.pt"), observer=losses)
    unseen = part(data, "test").sample
    rows = unseen[torch.randperm(len(unseen), generator=torch.Generator().manual_seed(0))[:HELD_OUT]]
    with torch.inference_mode():
        held_out = [held_out_loss(model.eval(), as_float(data.raw(batch))) for batch in rows.split(256)]
    return [*np.asarray(losses.values).reshape(WINDOWS, -1).mean(1), float(np.mean(held_out))]


def held_out_loss(model: torch.nn.Module, x: Tensor) -> float:
    generator = torch.Generator().manual_seed(1)
    return float(model.loss(x, step=0, generator=generator)["loss"])  # type: ignore[operator]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=1, choices=(1, 3), help="1: dSprites, 3: 3D Shapes")
    parser.add_argument("--steps", type=int, default=2000, help="steps of a run, a multiple of ten")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    told = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(told.threads)
    found = {
        precision: np.array([curve(told.channels, precision, seed, told.steps) for seed in range(told.seeds)])
        for precision in ("float32", "bf16")
    }
    difference = found["bf16"] - found["float32"]
    mean, spread = found["float32"].mean(0), found["float32"].std(0, ddof=1)
    error = difference.std(0, ddof=1) / told.seeds**0.5
    names = [f"{told.steps * n // WINDOWS}–{told.steps * (n + 1) // WINDOWS}" for n in range(WINDOWS)] + ["held out"]
    print("| steps | float32 | seeds | difference |\n|---|---|---|---|")
    for name, *values in zip(names, mean, spread, difference.mean(0), error, strict=True):
        print("| {} | {:.2f} | {:.2f} | {:+.2f} ± {:.2f} |".format(name, *values))


if __name__ == "__main__":
    main()
