"""Test for memory leaks: train and assay repeatedly in one process, and record its resident memory.

    python scripts/soak.py [minutes]      (30, unless another number is given)

Each round trains a double helix and images of 64 x 64 pixels, saves ten checkpoints of each, and assays both; then
the resident memory of the process is recorded. The first third of the time is warm-up. A straight line is fitted
to the memory of the other rounds over time, and the script fails when it rises by more than 20 MB an hour (beyond twice
its standard error) and by more than 16 MB in all, because a heap grows once by about 10 MB and stays there. Half an
hour thus detects a leak of 48 MB an hour, about 0.1 MB per round.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lrx.cli import main as cli

MOST, SETTLING = 20.0, 16.0  # MB an hour, and MB in all
HELIX = ["experiment=helix", "trainer.steps=300", "trainer.batch_size=64", "trainer.checkpoint_every=30"]
IMAGES = ["dataset=arrays", "dataset.path=images.npz", "network=conv64", "latent_dim=4", "trainer.batch_size=16"]
IMAGES += ["trainer.steps=30", "trainer.checkpoint_every=3", "trainer.log_every=3"]
ASSAYS = ("response_matrix", "traversal")


def resident_mb() -> float:
    """Return the resident memory of this process in MB, after garbage collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def lrx(*words: str) -> None:
    """Run a command that must succeed; its output is captured."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = cli.main(list(words))
    assert status == 0, said.getvalue()


def one_round(number: int) -> None:
    """Run two trainings and their assays, in separate folders."""
    for name, words in (("helix", HELIX), ("images", IMAGES)):
        run = f"{name}-{number}"
        lrx("train", *words, f"name={run}")
        for assay in ASSAYS:
            lrx("assay", f"ckpt=outputs/train/{run}", f"assay={assay}", f"name={run}-{assay}")


def slope(hours: np.ndarray, megabytes: np.ndarray) -> tuple[float, float]:
    """Return the slope of the fitted line in MB an hour, and its standard error."""
    line, covariance = np.polyfit(hours, megabytes, 1, cov=True)
    return float(line[0]), float(np.sqrt(covariance[0, 0]))


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    began, found = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.environ["LRX_DATA"] = "data"
        images = np.random.default_rng(0).integers(0, 256, (256, 64, 64), dtype=np.uint8)
        np.savez("images.npz", images=images)
        while time.monotonic() - began < 60 * minutes:
            one_round(len(found))
            found.append(((time.monotonic() - began) / 3600, resident_mb()))
            print(f"round {len(found)}  {60 * found[-1][0]:.1f} min  {found[-1][1]:.1f} MB", flush=True)
    hours, megabytes = np.array([point for point in found if point[0] > minutes / 60 / 3]).T
    if len(hours) < 4:
        sys.exit(f"only {len(hours)} rounds after the warm-up; give more minutes")
    rise, error = slope(hours, megabytes)
    in_all = rise * (hours[-1] - hours[0])
    verdict = "grows" if rise - 2 * error > MOST and in_all > SETTLING else "does not grow"
    print(
        f"{len(hours)} rounds after the warm-up: {rise:+.1f} MB an hour (standard error {error:.1f}), {in_all:+.1f} MB"
    )
    print(f"memory {verdict}")
    sys.exit(verdict == "grows")


if __name__ == "__main__":
    main()
