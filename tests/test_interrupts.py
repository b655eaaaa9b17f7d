"""Ctrl-C in a real process: the first saves the step that was running, the second ends at once; and training on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from lrx.training import checkpoint
from tests.conftest import TINY, Lrx

LONG = ["experiment=helix", "trainer.steps=1000000", "trainer.batch_size=8", "trainer.checkpoint_every=1000000"]


def test_the_first_interrupt_saves_the_step(tmp_path: Path, environment: dict[str, str]) -> None:
    words = [*LONG, "trainer.log_every=1", "name=stopped"]
    metrics = tmp_path / "outputs/train/stopped/metrics.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "lrx.cli", "train", *words],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not metrics.exists() or len(metrics.read_text().splitlines()) < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    done = checkpoint.load(metrics.parent / "checkpoint.pt").step
    assert said.startswith(f"lrx: stopped at step {done} of 1000000, which is saved; the same command goes on there")
    assert said.count("\n") == 1
    assert json.loads(metrics.read_text().splitlines()[-1])["step"] == done >= 5


def test_a_finished_run_trains_on_to_the_weights_of_a_longer_one(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=grown").returncode == 0
    again = lrx("train", *TINY, "name=grown")
    assert "trainer.steps=40 trains on" in again.stderr
    longer = [word.replace("steps=20", "steps=30") for word in TINY]
    on = lrx("train", *longer, "name=grown")
    assert on.returncode == 0, on.stderr
    assert lrx("train", *longer, "name=whole").returncode == 0
    grown, whole = (checkpoint.load(tmp_path / f"outputs/train/{name}/checkpoint.pt") for name in ("grown", "whole"))
    assert grown.step == whole.step == 30
    assert all(torch.equal(grown.model[key], value) for key, value in whole.model.items())
    for words in (TINY, [*longer, "trainer.schedule=cosine"]):  # fewer, or where the rate depends on their number
        assert lrx("train", *words, "name=grown").returncode == 2
