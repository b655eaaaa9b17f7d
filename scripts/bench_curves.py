"""Measure how cost grows: response matrix over latents and draws, training over the batch, collection over runs.

python scripts/bench_curves.py [--quick] [--threads 2] [--picture cost_curves.png]

Each curve is fitted by cost ~ size^exponent, least squares of the logarithms; linear is an exponent of 1.
"""

from __future__ import annotations

import functools
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from bench_collect import LATENTS as RUN_LATENTS
from bench_collect import make
from bench_response import by_lrx
from bench_train import vae
from benchmodel import train_settings
from benchsides import Side, Spread, Turns, in_turns, spread
from benchtable import Row, Section, main
from matplotlib.ticker import LogLocator
from PIL import Image

from lrx.assays.plotting.style import ACCENT, QUIET, figure, plot_style, png
from lrx.models.networks.conv64 import conv64
from lrx.models.vae import VAE
from lrx.runs.collect import collect
from lrx.training.loop import train

LINEAR = 1.05  # exponents up to this count as linear: timings of a few per cent bend a fit as much
SHAPE = (1, 64, 64)
DRAWS, LATENTS = 32, 10  # while the other one grows


@dataclass(frozen=True)
class Curve:
    """Cost over a size; `prepare` takes a size and returns the work to be timed."""

    name: str
    axis: str
    sizes: Sequence[int]
    quick: Sequence[int]
    prepare: Callable[[int], Callable[[], object]]


class Noise:
    """Data set of noise images."""

    name, source, fingerprint, observation_shape = "noise", "drawn", "0", SHAPE

    def __init__(self) -> None:
        self.pixels = torch.randint(256, (1024, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return len(self.pixels)

    def raw(self, indices: torch.Tensor) -> torch.Tensor:
        return self.pixels[indices]


def over_latents(latents: int, draws: int = DRAWS) -> Callable[[], object]:
    torch.manual_seed(0)
    model = VAE(
        network=conv64,
        observation_shape=SHAPE,
        latent_dim=latents,
        reconstruction="bernoulli",
        variance=1.0,
        kl="exact",
    ).to(memory_format=torch.channels_last)
    return lambda: by_lrx(model.eval(), SHAPE, draws, 0, draws="independent", precision="float32")


def over_draws(draws: int) -> Callable[[], object]:
    return over_latents(LATENTS, draws)


def over_batch(batch_size: int) -> Callable[[], object]:
    steps = 8
    never = 10**9
    settings = train_settings(steps=steps, batch_size=batch_size, lr=1e-4, checkpoint_every=never, log_every=never)
    data = Noise()

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.pt"
            train(vae(), data, settings, seed=0, path=path, config="")

    return work


def over_runs(runs: int) -> Callable[[], object]:
    made = tempfile.TemporaryDirectory()  # kept by the work, gone with it
    top = Path(made.name)
    for number in range(runs):
        make(top, number, RUN_LATENTS)
    return lambda: (made, collect(top, top / "collected.h5"))


CURVES = (
    Curve("response matrix over latents", "latents, D", (10, 24, 64, 128, 256), (4, 8, 16), over_latents),
    Curve("response matrix over draws", "draws, N", (32, 64, 128, 256, 512), (16, 32, 64), over_draws),
    Curve("training over the batch", "images a step", (16, 32, 64, 128, 256), (4, 8, 16), over_batch),
    Curve("lrx collect over runs", "runs", (50, 100, 200, 400), (5, 10, 20), over_runs),
)


def side(number: int, quick: bool, turns: Turns) -> None:
    """Run all sizes of a curve in each turn and store the seconds of each."""
    curve = CURVES[number]
    works = [curve.prepare(size) for size in (curve.quick if quick else curve.sizes)]
    for work in works:
        work()
    for _ in turns:
        found = []
        for work in works:
            began = time.perf_counter()
            work()
            found.append(time.perf_counter() - began)
        turns.found = found


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the slope of log seconds over log sizes."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def measure(*, quick: bool, threads: int) -> Section:
    sides = [Side(curve.name, functools.partial(side, number, quick)) for number, curve in enumerate(CURVES)]
    found = in_turns(sides, turns=2 if quick else 3, threads=threads)
    rows, drawn = [], []
    for curve in CURVES:
        sizes = curve.quick if quick else curve.sizes
        turns = found[curve.name].found
        slopes = spread([exponent(sizes, seconds) for seconds in turns])
        costs = [spread(seconds) for seconds in zip(*turns, strict=True)]
        note = f"{curve.axis} from {sizes[0]} to {sizes[-1]}: {costs[0].median:.2g} s to {costs[-1].median:.2g} s"
        rows.append(Row(curve.name, slopes, demanded="linear or better", met=slopes.median <= LINEAR, note=note))
        drawn.append((curve, sizes, costs, slopes.median))
    text = (
        f"Exponents of cost over size, fitted to logarithms; up to {LINEAR} counts as linear. The matrix is that of "
        f"conv64 with {DRAWS} draws, or {LATENTS} latents; training takes 8 steps and one checkpoint. "
        "A constant cost, such as a checkpoint, lowers the exponent."
    )
    return Section("How cost grows", text, "exponent", rows, picture=picture(drawn))


def picture(drawn: Sequence[tuple[Curve, Sequence[int], Sequence[Spread], float]]) -> bytes:
    """Draw seconds over size with their range and the fitted line, one small plot per curve."""
    with plot_style():
        blank = figure(2.2 * len(drawn), 2.1)
        for place, (curve, sizes, costs, slope) in enumerate(drawn, start=1):
            axes = blank.add_subplot(1, len(drawn), place)
            middle = np.array([cost.median for cost in costs])
            low, high = (np.array([getattr(cost, end) for cost in costs]) for end in ("least", "most"))
            axes.errorbar(sizes, middle, [middle - low, high - middle], fmt="o", ms=3.5, color=ACCENT, lw=0.8)
            through = np.exp(np.mean(np.log(middle) - slope * np.log(sizes)))
            axes.plot(sizes, through * np.array(sizes, dtype=float) ** slope, color=QUIET, lw=0.8, zorder=0)
            axes.set(xscale="log", yscale="log", xlabel=curve.axis, ylabel="seconds" if place == 1 else "")
            axes.set_xticks(sizes, [str(size) for size in sizes], fontsize=7)
            axes.margins(x=0.1, y=0.12)
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_title(f"{curve.name}\nexponent {slope:.2f}", fontsize=8, loc="left")
        blank.tight_layout(w_pad=1.5)
        return few_colours(png(blank))


def few_colours(image: bytes) -> bytes:
    """Return a PNG reduced to 64 colours, a third of its size."""
    written = io.BytesIO()
    Image.open(io.BytesIO(image)).convert("RGB").quantize(64).save(written, format="png", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    main(measure, __doc__)
