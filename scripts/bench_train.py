"""Time training by lrx against pythae's trainer and a plain loop, on the same network and images.

python scripts/bench_train.py [--quick] [--threads 2]

pythae is installed beside the data, in an environment of its own (scripts/benchpythae.py). The plain loop is that of a
tutorial: contiguous tensors, unfused Adam, a DataLoader over a TensorDataset of floats, and the default allocator.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from benchmodel import ROOT, of_torch, shapes, train_settings
from benchpythae import VERSION, installed, train_pythae
from benchrate import has_bf16, matrix_rate, operations
from benchsides import Side, Turns, in_turns, ratio, spread
from benchtable import Row, Section, main
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from lrx.core.types import Dataset, as_float
from lrx.data.dsprites import dsprites
from lrx.models.networks.conv64 import conv64
from lrx.models.vae import VAE
from lrx.training.loop import train

FLOAT32, BF16 = 2.2, 3.2  # demanded, against pythae
WARM_UP = 10  # steps that are not counted
LATENTS, BATCH, IMAGES, RATE = 10, 64, 4096, 1e-4
PLAIN, PEER = "plain loop", f"pythae {VERSION}"
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
CHANNELS = {1: "dSprites", 3: "3D Shapes"}


def vae(channels: int = 1, seed: int = 0) -> VAE:
    torch.manual_seed(seed)
    return VAE(
        network=conv64,
        observation_shape=(channels, 64, 64),
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


def dataset(channels: int) -> Dataset:
    return dsprites(root=ROOT, source="auto") if channels == 1 else shapes()


def images(channels: int) -> Tensor:
    """Return the images of the sides that keep them in memory, as floats."""
    data = dataset(channels)
    return as_float(data.raw(torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:IMAGES]))


def peer_side(packages: Path, channels: int, steps: int, num_turns: int, turns: Turns) -> None:
    """Run pythae's own trainer."""
    model, taker, last = of_torch(vae(channels)), TurnTaker(turns, steps), WARM_UP + steps * num_turns

    def on_step(done: int) -> bool:
        taker.step(done)
        return done < last

    networks = (model.encoder, model.decoder)
    train_pythae(packages, networks, images(channels), batch_size=BATCH, lr=RATE, on_step=on_step)


def plain_side(channels: int, steps: int, turns: Turns) -> None:
    trained = plain_steps(of_torch(vae(channels)), images(channels), BATCH)
    for _ in range(WARM_UP):
        next(trained)
    for _ in turns:
        for _ in range(steps):
            next(trained)


def convolutions_side(channels: int, steps: int, precision: str, turns: Turns) -> None:
    """Run the convolutions of a step alone, forward and backward, in the layout and dtype of lrx."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    model = vae(channels).to(dtype=dtype, memory_format=torch.channels_last).train()
    passes: list[tuple[nn.Module, Tensor, Tensor]] = []  # layers, what they are given, gradients of what they return

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        x, grad = (torch.randn_like(t) for t in (inputs[0], out))  # in the layout of these
        passes.append((layer, x.requires_grad_(layer is not model.encoder[0]), grad))  # pixels get no gradient

    hooks = [layer.register_forward_hook(record) for layer in model.modules() if isinstance(layer, CONVOLUTIONS)]
    images = torch.rand(BATCH, channels, 64, 64, dtype=dtype).contiguous(memory_format=torch.channels_last)
    model.decoder(model.encoder(images)[:, :LATENTS])
    for hook in hooks:
        hook.remove()

    def step() -> None:
        for layer, x, grad in passes:
            wanted = [t for t in (x, *layer.parameters()) if t.requires_grad]
            torch.autograd.grad(layer(x), wanted, grad)

    repeat(step, steps, turns)


class Loss(nn.Module):
    """Loss of a model as its output, for functions of torch that take a module."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model, self.generator = model, torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> Tensor:
        return self.model.loss(x, step=0, generator=self.generator)["loss"]


def operations_side(channels: int, steps: int, precision: str, turns: Turns) -> None:
    """Run the operations of a step that torch has traced, in their order, and fused Adam."""
    module = Loss(vae(channels).to(memory_format=torch.channels_last).train())  # type: ignore[call-overload]
    names, parameters = zip(*module.named_parameters(), strict=True)
    adam = torch.optim.Adam(parameters, lr=RATE, fused=True)
    x = images(channels)[:BATCH].contiguous(memory_format=torch.channels_last)

    def gradients(values: tuple[Tensor, ...], x: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))
        return torch.autograd.grad(loss, values)

    traced = make_fx(gradients)(parameters, x)

    def step() -> None:
        with torch.no_grad():
            for parameter, gradient in zip(parameters, traced(parameters, x), strict=True):
                parameter.grad = gradient
        adam.step()

    repeat(step, steps, turns)


def repeat(step: Callable[[], object], steps: int, turns: Turns) -> None:
    for _ in range(WARM_UP):
        step()
    for _ in turns:
        for _ in range(steps):
            step()


def lrx_side(channels: int, steps: int, num_turns: int, precision: str, compiled: bool, turns: Turns) -> None:
    """Run lrx.training.loop.train as `lrx train` calls it, and store the seconds of its first steps."""
    run_training(vae(channels), dataset(channels), BATCH, steps, num_turns, precision, compiled, turns)


class TurnTaker:
    """Observer that waits for the next turn every `steps` steps, once the first ones are done."""

    def __init__(self, turns: Turns, steps: int) -> None:
        self._turns, self._steps, self._waiting = turns, steps, iter(turns)
        self._began, self._warm_up = time.perf_counter(), 0.0

    def start(self, step: int) -> None:
        """Do nothing."""

    def log(self, step: int, row: Mapping[str, float]) -> None:
        """Do nothing."""

    def step(self, n: int) -> None:
        """Store the time of the first steps, and wait between turns."""
        if n == WARM_UP:
            self._warm_up = time.perf_counter() - self._began
        if n >= WARM_UP and (n - WARM_UP) % self._steps == 0:
            next(self._waiting, None)
            self._turns.found = self._warm_up  # within the turn: its beginning clears what was found

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
    turns, steps = (2, 5) if quick else (5, 30)
    packages = installed(Path(ROOT) / "bench")
    kinds = {"lrx": ("float32", False)}
    if has_bf16():
        kinds["lrx, bf16"] = ("bf16", False)
    if shutil.which("c++") and not quick:
        kinds |= {f"{name}, compiled": (precision, True) for name, (precision, _) in kinds.items()}
    rates = {kind: matrix_rate(getattr(torch, kind), threads) for kind in ("float32", "bfloat16")}
    rows = []
    for channels, name in CHANNELS.items():
        dataset(channels)  # rendered before the sides begin, if it has to be
        peer = Side(PEER, functools.partial(peer_side, packages, channels, steps, turns), keep_memory=False)
        plain = Side(PLAIN, functools.partial(plain_side, channels, steps), keep_memory=False)
        sides = [Side(kind, functools.partial(lrx_side, channels, steps, turns, *how)) for kind, how in kinds.items()]
        floors = [
            Side(f"{kind}, its {name} alone", functools.partial(run, channels, steps, precision))
            for kind, (precision, compiled) in kinds.items()
            for name, run in (("convolutions", convolutions_side), ("operations", operations_side))
            if not compiled
        ]
        found = in_turns([peer, plain, *sides, *floors], turns=turns, threads=threads)
        model, x = vae(channels), torch.rand(BATCH, channels, 64, 64)
        step = operations(lambda m=model, x=x: plain_loss(m, x, torch.zeros(BATCH, LATENTS)).backward())
        for kind, side in found.items():
            half = "bf16" in kind
            cost = spread([1000 * seconds / steps for seconds in side.seconds])
            share = 1000 * step / cost.median / rates["bfloat16" if half else "float32"]
            times = None if kind == PEER else ratio(found[PEER], side)
            least = {"lrx": FLOAT32, "lrx, bf16": BF16}.get(kind)
            demanded = "" if least is None else f"{least:g}"
            met = None if least is None or times is None else times.median >= least
            note = f"warm-up of {WARM_UP} steps: {side.found[0]:.0f} s" if "compiled" in kind else ""
            rows.append(Row(f"{name}: {kind}", cost, times, share, demanded, met, note))
    text = (
        f"A VAE with conv64, ten latents, on dSprites (one channel) and 3D Shapes (three): batches of {BATCH}, {steps} "
        f"steps per turn, the same first weights. pythae {VERSION}: its own VAE and BaseTrainer on torch's own layers, "
        "with the settings that it comes with, from images in memory as floats; it has no bf16 on a CPU. Plain loop: "
        "contiguous tensors, unfused Adam, a DataLoader over the same images, as in a tutorial. lrx: what `lrx train` "
        "does, and reads its images from the data set. Its convolutions alone: forward and backward passes of these "
        "layers on random maps, without what lies between them, the loss, Adam and the data. Its operations alone: "
        "those of torch that make up a step, traced and run in their order, and Adam, without autograd, modules and "
        "data: what lrx would take if all around torch's kernels took no time. "
        "`times as fast` is against pythae. All sides of a data set warm up at the same time, which takes longer than "
        "one alone. Why bf16 is the default where a processor is quick at it: [models](models.md#precision)."
    )
    return Section("Training", text, "ms a step", rows)


if __name__ == "__main__":
    main(measure, __doc__)
