"""Time `lrx collect` and `lrx status` on a sweep of 1,000 runs, which is written to a temporary folder.

python scripts/bench_collect.py [--quick]

A run has a config, 100 logged rows, and paper/result.h5 with a response matrix, forty scores and the codes of 1,000
images; ten seeds share their settings, and are ranked by UDR.
"""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

import numpy as np
from benchsides import Side, Turns, in_turns, spread
from benchtable import Row, Section, main

from lrx.core.types import Array, AssayResult
from lrx.runs import run_folder, status
from lrx.runs.catalog import find_runs, summary
from lrx.runs.collect import collect
from lrx.storage import results
from lrx.training import metrics_log

DEMANDED = 10.0  # seconds, at most, for 1,000 runs
SEEDS, IMAGES, LATENTS = 10, 1000, 10

CONFIG = """name: sweep
latent_dim: {latents}
split: all
seed: {seed}
dataset:
  _target_: lrx.data.dsprites.dsprites
  root: data
model:
  _target_: lrx.models.betavae.BetaVAE
  beta: {beta}
network:
  _target_: lrx.models.networks.conv64.conv64
  _partial_: true
trainer:
  _target_: lrx.training.loop.TrainSettings
  steps: 100000
  betas:
  - 0.9
  - 0.999
"""
ASSAY = "ckpt: {ckpt}\nseed: 0\nassay:\n  num_samples: 1024\n"


def assays(latents: int, random: np.random.Generator) -> dict[str, AssayResult]:
    """Return a result with a matrix, many scores, and codes that agree partly between seeds."""
    labels = np.arange(latents)
    axes = {"intervened": labels, "responding": labels}
    matrix = Array(random.random((latents, latents)), ("intervened", "responding"), "latent", "response matrix")
    base = np.random.default_rng(0).standard_normal((IMAGES, latents))
    codes = (base + random.standard_normal(base.shape)).astype(np.float32)
    names = [f"score_{number}{end}" for number in range(20) for end in ("", "_se")]
    return {
        "response_matrix": AssayResult({"matrix": matrix}, axes, {"largest": 1.0}),
        "metrics": AssayResult({}, {}, {name: float(random.random()) for name in names}),
        "codes": AssayResult(
            {
                "codes": Array(codes, ("image", "latent")),
                "informative": Array(np.ones(latents, np.uint8), ("latent",)),
            },
            {"image": np.arange(IMAGES), "latent": labels},
        ),
    }


def make(top: Path, number: int, latents: int) -> None:
    """Write one run folder."""
    folder, seed, beta = top / f"run-{number:05}", number % SEEDS, number // SEEDS
    words = (f"seed={seed}", f"model.beta={beta}", "name=sweep")
    for place, command in ((folder, "train"), (folder / "paper", "assay")):
        place.mkdir(parents=True)
        status.write(place, status.Status("done", command, words if command == "train" else ("assay=paper",)))
    config = CONFIG.format(latents=latents, seed=seed, beta=beta)
    (folder / run_folder.FILENAME).write_text(config)
    (folder / "paper" / run_folder.FILENAME).write_text(ASSAY.format(ckpt=folder))
    rows = [json.dumps({"step": step, "loss": 100 / step, "kl": 1.0}) for step in range(1, 101)]
    (folder / metrics_log.JSONL).write_text("\n".join(rows) + "\n")
    provenance = {"checkpoint_sha256": str(number), "checkpoint_config": config, "seed": 0, "trained_steps": 100_000}
    results.write(folder / "paper" / results.FILENAME, assays(latents, np.random.default_rng(number)), provenance)


def status_side(top: str, turns: Turns) -> None:
    for _ in turns:
        turns.found = summary(run.state for run in find_runs(Path(top)))


def collect_side(top: str, turns: Turns) -> None:
    for _ in turns:
        rows, _ = collect(Path(top), Path(top) / "collected.h5")
        size = (Path(top) / "collected.h5").stat().st_size / 2**20
        turns.found = f"{sum('udr' in row.scores for row in rows)} ranked, {size:.1f} MiB"


def measure(*, quick: bool, threads: int) -> Section:
    turns, runs = (2, 20) if quick else (3, 1000)
    with tempfile.TemporaryDirectory() as top:
        for number in range(runs):
            make(Path(top), number, LATENTS)
        sides = [Side("lrx status", functools.partial(status_side, top))]
        sides.append(Side("lrx collect", functools.partial(collect_side, top)))
        found = in_turns(sides, turns=turns, threads=1)
    rows = []
    for name, side in found.items():
        seconds, limit = spread(side.seconds), DEMANDED * runs / 1000
        rows.append(
            Row(name, seconds, demanded=f"{limit:g} s", met=seconds.median <= limit, note=str(side.found[0]))
            if name == "lrx collect"
            else Row(name, seconds, note=str(side.found[0]))
        )
    text = (
        f"A sweep of {runs:,} runs of {SEEDS} seeds each, with a matrix, forty scores and codes of {IMAGES:,} images."
    )
    return Section("Sweeps", text, "s of one core", rows)


if __name__ == "__main__":
    main(measure, __doc__)
