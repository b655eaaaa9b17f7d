"""How long `lrx collect` and `lrx status` take for a sweep of many runs, which this makes up in a folder of its own.

python scripts/bench_collect.py [--runs 1000] [--latents 10]

A run has a config, 100 logged rows, and paper/result.h5 with a response matrix, forty scores and the codes of 1,000
images; ten seeds share their settings. Demanded: 1,000 runs are collected, and ranked by UDR, in less than 10 seconds
of one core.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from lrx import curves, results, runs, status
from lrx.collect import collect
from lrx.run_tree import find_runs, summary
from lrx.types import Array, AssayResult

DEMANDED, SEEDS, IMAGES = 10.0, 10, 1000

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
  _target_: lrx.training.TrainSettings
  steps: 100000
  betas:
  - 0.9
  - 0.999
"""
ASSAY = "ckpt: {ckpt}\nseed: 0\nassay:\n  num_samples: 1024\n"


def assays(latents: int, random: np.random.Generator) -> dict[str, AssayResult]:
    """A matrix, many scores, and codes that agree somewhat between seeds."""
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
    """One run folder."""
    folder, seed, beta = top / f"run-{number:05}", number % SEEDS, number // SEEDS
    words = (f"seed={seed}", f"model.beta={beta}", "name=sweep")
    for place, command in ((folder, "train"), (folder / "paper", "assay")):
        place.mkdir(parents=True)
        status.write(place, status.Status("done", command, words if command == "train" else ("assay=paper",)))
    config = CONFIG.format(latents=latents, seed=seed, beta=beta)
    (folder / runs.FILENAME).write_text(config)
    (folder / "paper" / runs.FILENAME).write_text(ASSAY.format(ckpt=folder))
    rows = [json.dumps({"step": step, "loss": 100 / step, "kl": 1.0}) for step in range(1, 101)]
    (folder / curves.JSONL).write_text("\n".join(rows) + "\n")
    provenance = {"checkpoint_sha256": str(number), "checkpoint_config": config, "seed": 0, "trained_steps": 100_000}
    results.write(folder / "paper" / results.FILENAME, assays(latents, np.random.default_rng(number)), provenance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--latents", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        top = Path(made)
        for number in range(asked.runs):
            make(top, number, asked.latents)
        began = time.perf_counter()
        states = summary(run.state for run in find_runs(top))
        looked, used = time.perf_counter(), time.process_time()
        rows = collect(top, top / "collected.h5")
        took, used = time.perf_counter() - looked, time.process_time() - used
        size = (top / "collected.h5").stat().st_size
    ranked = sum("udr" in row.scores for row in rows)
    print(f"status: {states} in {looked - began:.2f} s")
    print(f"collect: {len(rows)} runs, {ranked} of them ranked, in {took:.2f} s, {used:.2f} s of a core")
    print(f"collected.h5 has {size / 2**20:.1f} MiB")
    if used > DEMANDED * asked.runs / 1000:
        raise SystemExit(f"slower than {DEMANDED:.0f} s of a core for a thousand runs")


if __name__ == "__main__":
    main()
