"""Count the responses that a response matrix takes to a largest standard error: rows as they need, or all alike.

python scripts/bench_adaptive.py [--quick] [--threads 2]

Alike: the way of version 0.1.0, blocks of 128 draws in nets of 32 for all rows, at least 1,024, until no standard error
is above the target. Rows as they need: `target_se` of the assay, its pilot counted. Two models: conv5 (D = 24) whose
decoder ignores 13 latents, the weights that read them being 0, and the demo (conv64, D = 10, dSprites). Each target is
the one that the rows of a model need some thousand draws for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from bench_response import OneImage
from benchmodel import LATENTS, ROOT, SHAPE, kept, train_settings, trained
from benchsides import Spread, spread
from benchtable import Row, Section, main
from torch import nn

from lrx.assays.response_matrix.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult, Autoencoder
from lrx.data.dsprites import dsprites
from lrx.models.betavae import BetaVAE
from lrx.models.networks.conv64 import conv64
from lrx.models.vae import VAE
from lrx.responses.draws import blocks
from lrx.responses.interventions import block_responses, row_units
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measurement import measurement
from lrx.responses.response_sums import unit_sums
from lrx.training import checkpoint
from lrx.training.loop import train

DEAD, CONV5, DEMO = 13, 4.0, 2.5  # latents of conv5 that the decoder ignores; times fewer responses that are demanded
TARGETS, SEEDS = {"conv5": 0.02, "demo": 0.005}, {"conv5": 1, "demo": 3}  # conv5 takes ten minutes a seed
LEAST, NET = 1024, 32  # draws, at least, and of a net, in version 0.1.0
STEPS, QUICK_STEPS = 2200, 20  # of the demo


class Found(NamedTuple):
    """Responses that were computed, and the largest standard error."""

    responses: int
    largest_se: float


def alike(model: Autoencoder, shape: tuple[int, ...], latents: int, target: float, seed: int) -> Found:
    """Return what the way of version 0.1.0 takes."""
    m = measurement(model, OneImage(shape), torch.Generator().manual_seed(seed))
    matrix = ResponseMatrix(range(latents), latents, net=NET, with_std=False)
    sums = functools.partial(unit_sums, net=NET, num_groups=0, num_samples=None, with_std=False)
    drawn = block_responses(
        m.autoencoder,
        blocks(m, base="prior", net=NET),
        rows=matrix.rows,
        units=m.units,
        num_samples=2**20,
        batch_size=m.batch_size,
    )
    largest = float("inf")
    for unit in row_units(drawn, sums):
        values = unit.evaluate()
        matrix.add(unit.key[1], values)
        if unit.key[1] + len(values[0]) == latents and matrix.num_samples >= LEAST:
            largest = float(matrix.on_scale("half")[1].max())
            if largest <= target:
                break
    return Found(matrix.num_responses, largest)


def as_needed(model: Autoencoder, shape: tuple[int, ...], latents: int, target: float, seed: int) -> Found:
    """Return what the assay takes."""
    del latents
    settings = Settings(target_se=target, max_samples=2**20)
    result = run_assay(settings, model, OneImage(shape), torch.Generator().manual_seed(seed))
    assert isinstance(result, AssayResult)
    assert result.settings["target_reached"]
    return Found(int(str(result.settings["num_responses"])), result.scores["largest_se"])


def demo(quick: bool) -> VAE:
    """Return the model of experiment=demo, trained if there is none."""
    torch.manual_seed(0)
    data = dsprites(root=ROOT, source="auto")
    model = BetaVAE(
        network=conv64,
        observation_shape=data.observation_shape,
        latent_dim=10,
        reconstruction="bernoulli",
        variance=1.0,
        kl="exact",
        beta=1.0,
    )
    steps = QUICK_STEPS if quick else STEPS
    path = Path(ROOT) / "bench" / f"demo-{steps}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = train_settings(steps=steps, batch_size=64, lr=1e-3, checkpoint_every=steps, log_every=steps)
    train(model, data, settings, seed=0, path=path, config="")
    model.load_state_dict(checkpoint.load(path).model)
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def conv5(quick: bool) -> VAE:
    """Return trained conv5, of whose latents the decoder ignores the last 13."""
    model = trained(kept(quick), plain=False)
    first = next(layer for layer in model.decoder.modules() if isinstance(layer, nn.Linear))
    first.weight[:, LATENTS - DEAD :] = 0
    return model


def measure(*, quick: bool, threads: int) -> Section:
    torch.set_num_threads(threads)
    cases: dict[str, tuple[Callable[[bool], VAE], tuple[int, ...], int, float]] = {
        "conv5": (conv5, SHAPE, LATENTS, CONV5),
        "demo": (demo, (1, 64, 64), 10, DEMO),
    }
    rows = []
    for name, (make, shape, latents, demanded) in cases.items():
        model, target = make(quick), TARGETS[name] * (5 if quick else 1)
        seeds = range(1 if quick else SEEDS[name])
        sides = {way: [way(model, shape, latents, target, seed) for seed in seeds] for way in (alike, as_needed)}
        counts = {way: spread([found.responses / 1000 for found in side]) for way, side in sides.items()}
        pairs = zip(sides[alike], sides[as_needed], strict=True)
        fewer: Spread = spread([a.responses / b.responses for a, b in pairs])
        rows.append(Row(f"{name}, all rows alike", counts[alike], note=_largest(sides[alike])))
        met = fewer.median >= demanded
        note = _largest(sides[as_needed])
        rows.append(Row(f"{name}, rows as they need", counts[as_needed], fewer, None, f"{demanded:g}", met, note))
    text = (
        f"Largest standard error {TARGETS['conv5']:g} of conv5 and {TARGETS['demo']:g} of the demo, on the scale half; "
        f"ranges are over {SEEDS['demo']} seeds. Responses are counted, not "
        "timed, those of the pilot too; the third column is how many times fewer they are. Alike is the way of version "
        f"0.1.0. conv5 has D = {LATENTS}, is trained as for the other sections, and its decoder's weights of {DEAD} "
        "latents are set to 0; the demo is `experiment=demo`."
    )
    return Section("Response matrix to a target: responses", text, "thousand responses", rows)


def _largest(found: list[Found]) -> str:
    return f"largest standard error {max(each.largest_se for each in found):.2g}"


if __name__ == "__main__":
    main(measure, __doc__)
