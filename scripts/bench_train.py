"""Training speed of lrx against a plain loop, on the same network and images, in one run.

The plain loop is what a tutorial shows: contiguous tensors, unfused Adam, a DataLoader over a TensorDataset of floats,
the C library's allocator as it comes. Each side is measured in a process of its own, in turn, and the median counts.

    python scripts/bench_train.py [--network conv64] [--steps 60] [--rounds 3] [--compile] [--bf16]
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F

WARM_UP = 10  # steps that are not counted
LATENTS = 10
IMAGES = 4096


def network(name: str) -> object:
    return getattr(importlib.import_module(f"lrx.models.networks.{name}"), name)


def plain(name: str, batch_size: int, steps: int) -> float:
    """Images per second of the plain loop."""
    from lrx.data.dsprites import dsprites

    parts = network(name)(observation_shape=(1, 64, 64), latent_dim=LATENTS, heads=2)
    encoder, decoder = parts.encoder, parts.decoder
    data = dsprites(root=os.environ.get("LRX_DATA", "data"), source="auto")
    images = data.images(torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:IMAGES])
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images), batch_size, shuffle=True)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-4)
    done, began = 0, 0.0
    while True:
        for (x,) in loader:
            mean, log_std = parts.split(encoder(x))
            logits = decoder(mean + log_std.exp() * torch.randn_like(mean))
            rec = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
            kl = 0.5 * (mean**2 + (2 * log_std).exp() - 2 * log_std - 1).sum(1).mean()
            optimizer.zero_grad()
            (rec + kl).backward()
            optimizer.step()
            done += 1
            if done == WARM_UP:
                began = time.perf_counter()
            if done == WARM_UP + steps:
                return steps * batch_size / (time.perf_counter() - began)


def lrx(name: str, batch_size: int, steps: int, **options: object) -> float:
    """Images per second of lrx.training.train, as `lrx train` calls it."""
    from lrx.allocator import keep_freed_memory
    from lrx.data.dsprites import dsprites
    from lrx.models.vae import VAE
    from lrx.training import TrainSettings, train

    keep_freed_memory()
    model = VAE(
        network=network(name),
        observation_shape=(1, 64, 64),
        latent_dim=LATENTS,
        reconstruction="bernoulli",
        variance=1.0,
        kl="exact",
    )
    settings = {"precision": "float32", "compile": False} | options
    trainer = TrainSettings(
        steps=WARM_UP + steps,
        batch_size=batch_size,
        lr=1e-4,
        betas=[0.9, 0.999],
        amsgrad=False,
        schedule="constant",
        warmup_steps=0,
        clip=None,
        channels_last=True,
        checkpoint_every=10**9,
        log_every=100,
        device="cpu",
        **settings,
    )
    times: dict[int, float] = {}

    def on_step(done: int) -> None:
        times[done] = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        train(
            model,
            dsprites(root=os.environ.get("LRX_DATA", "data"), source="auto"),
            trainer,
            seed=0,
            device=torch.device("cpu"),
            path=Path(folder) / "checkpoint.pt",
            config="",
            on_step=on_step,
        )
    # the last step also writes the checkpoint, which a real run does once in 1,000 steps
    return (steps - 1) * batch_size / (times[WARM_UP + steps - 1] - times[WARM_UP])


SIDES = {
    "plain loop": lambda args: plain(args.network, args.batch_size, args.steps),
    "lrx, float32": lambda args: lrx(args.network, args.batch_size, args.steps),
    "lrx, bf16": lambda args: lrx(args.network, args.batch_size, args.steps, precision="bf16"),
    "lrx, float32, compiled": lambda args: lrx(args.network, args.batch_size, args.steps, compile=True),
    "lrx, bf16, compiled": lambda args: lrx(args.network, args.batch_size, args.steps, precision="bf16", compile=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="conv64", choices=["conv64", "conv5"])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bf16", action="store_true", help="measure bf16 too: slow on a CPU that lacks it")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too: needs a C++ compiler")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(SIDES[args.side](args))
        return
    sides = [side for side in SIDES if (args.bf16 or "bf16" not in side) and (args.compile or "compiled" not in side)]
    rates: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(args.rounds):
        for side in sides:
            done = subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--side", side], check=True, capture_output=True, text=True
            )
            rates[side].append(float(done.stdout.split()[-1]))
    print(f"training {args.network}, batch {args.batch_size}, dSprites, {torch.get_num_threads()} threads")
    print(f"{'':<26}{'images/s':>10}{'lowest':>10}{'highest':>10}{'ratio':>8}")
    reference = statistics.median(rates["plain loop"])
    for side, values in rates.items():
        middle = statistics.median(values)
        print(f"{side:<26}{middle:>10.0f}{min(values):>10.0f}{max(values):>10.0f}{middle / reference:>8.2f}")


if __name__ == "__main__":
    main()
