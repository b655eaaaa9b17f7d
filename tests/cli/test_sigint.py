"""Ctrl-C in a real process: the first saves the running step, the second ends at once; and resuming."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lrx.cli.console.progress import TrainProgress
from lrx.runs import status
from lrx.training import checkpoint
from tests.conftest import TINY, Lrx

LONG = ["experiment=helix", "trainer.steps=1000000", "trainer.batch_size=8", "trainer.checkpoint_every=1000000"]


# lrx, but saving takes a minute
SLOW = """
import sys, time
from lrx.cli import main as cli
from lrx.training import checkpoint

def save(*where, **what):
    print("saving", flush=True)
    for _ in range(600):  # a signal may go to another thread, which does not end a sleep of this one
        time.sleep(0.1)

checkpoint.save = save
sys.exit(cli.main(sys.argv[1:]))
"""


def catch_sigint() -> None:
    """Undo an ignored SIGINT, which a shell without job control gives to what it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_training(program: list[str], folder: Path, environment: dict[str, str], name: str) -> subprocess.Popen[str]:
    """A process that trains for long, once it has logged five steps to the folder of this name."""
    words = [*LONG, "trainer.log_every=1", f"name={name}"]
    process = subprocess.Popen(
        [sys.executable, *program, "train", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=catch_sigint,
    )
    metrics = folder / "outputs/train" / name / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.exists() or len(metrics.read_text().splitlines()) < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_first_interrupt_saves_the_step(tmp_path: Path, environment: dict[str, str]) -> None:
    process = start_training(["-m", "lrx.cli"], tmp_path, environment, "stopped")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    folder = tmp_path / "outputs/train/stopped"
    done = checkpoint.load(folder / "checkpoint.pt").step
    assert stderr.startswith(f"lrx: stopped at step {done} of 1000000, which is saved; the same command goes on there")
    assert stderr.count("\n") == 1
    assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["step"] == done >= 5


def test_second_interrupt_ends_at_once(tmp_path: Path, environment: dict[str, str]) -> None:
    process = start_training(["-c", SLOW], tmp_path, environment, "stopped")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "saving\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)  # half of what saving takes
    assert process.returncode == 130
    assert stderr == "lrx: stopped; the same command goes on there, with name=stopped\n"
    assert not (tmp_path / "outputs/train/stopped/checkpoint.pt").exists()


def test_resume_after_interrupt_gives_same_weights(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lrx("train", *TINY, "name=whole").returncode == 0
    step = TrainProgress.step
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever ran in this process before

    def interrupted(progress: TrainProgress, done: int) -> None:
        step(progress, done)
        if done == 7:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(TrainProgress, "step", interrupted)
        stopped = lrx("train", *TINY, "name=resumed")
    signal.signal(signal.SIGINT, before)
    assert stopped.returncode == 130
    assert "stopped at step 8 of 20, which is saved" in stopped.stderr
    now = status.read(tmp_path / "outputs/train/resumed")
    assert now is not None
    assert now.step == 8  # though no such step is logged
    on = lrx("train", *TINY, "name=resumed")
    assert on.returncode == 0
    assert "resuming at step 8 of 20" in on.stderr
    whole, resumed = (tmp_path / "outputs/train" / name for name in ("whole", "resumed"))
    expected, actual = (checkpoint.load(folder / "checkpoint.pt") for folder in (whole, resumed))
    assert actual.step == expected.step == 20
    assert actual.model.keys() == expected.model.keys()
    assert all(torch.equal(actual.model[key], value) for key, value in expected.model.items())
    for name in ("metrics.jsonl", "metrics.csv"):
        assert (resumed / name).read_text() == (whole / name).read_text()


def test_more_steps_equal_longer_run(lrx: Lrx, tmp_path: Path) -> None:
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
