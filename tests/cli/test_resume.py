"""Runs that were killed resume; another config in the same folder is refused."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lrx.cli.commands import train
from lrx.runs import status
from tests.conftest import TINY, Lrx
from tests.support.command_line import assert_refused, assert_same_weights


def test_resume_after_kill_gives_same_weights(tmp_path: Path, environment: dict[str, str], lrx: Lrx) -> None:
    words = ["train", "dataset=dsprites", "model=betavae", "trainer.steps=30", "trainer.batch_size=8"]
    words += ["trainer.checkpoint_every=5", "trainer.log_every=1"]
    assert lrx(*words, "name=whole").returncode == 0
    metrics = tmp_path / "outputs/train/killed/metrics.jsonl"
    for rows in (3, 12):  # before the first checkpoint, and between later ones
        process = subprocess.Popen(
            [sys.executable, "-m", "lrx.cli", *words, "name=killed"], cwd=tmp_path, env=environment
        )
        deadline = time.monotonic() + 120
        while not metrics.exists() or len(metrics.read_text().splitlines()) < rows:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    resumed = lrx(*words, "name=killed")
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming at step" in resumed.stderr
    whole, killed = tmp_path / "outputs/train/whole", tmp_path / "outputs/train/killed"
    assert_same_weights(whole, killed)
    assert (whole / "metrics.jsonl").read_text() == (killed / "metrics.jsonl").read_text()
    assert (whole / "metrics.csv").read_text() == (killed / "metrics.csv").read_text()

    before = (killed / "checkpoint.pt").read_bytes()
    finished = lrx(*words, "name=killed")
    assert finished.returncode == 0
    assert "finished" in finished.stderr
    assert (killed / "checkpoint.pt").read_bytes() == before


def test_resume_with_other_threads(lrx: Lrx, tmp_path: Path) -> None:
    words = ["train", *TINY, "trainer.schedule=constant", "name=run"]
    assert lrx(*words, "trainer.steps=2").returncode == 0
    folder, threads = tmp_path / "outputs/train/run", torch.get_num_threads()
    before = status.read(folder)
    assert before
    assert before.threads == threads
    status.write(folder, replace(before, threads=99))
    resumed = lrx(*words, "trainer.steps=3")
    assert f"torch computes with {threads} threads here, and did with 99 before" in resumed.stderr
    assert "threads" not in lrx(*words, "trainer.steps=4").stderr


def test_other_config_in_same_folder(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=mine").returncode == 0
    before = (tmp_path / "outputs/train/mine/checkpoint.pt").read_bytes()
    refused = lrx("train", *TINY, "name=mine", "trainer.lr=0.5", "seed=3")
    assert_refused(refused, "trainer.lr (was 0.01, now 0.5)", "seed (was 0, now 3)")
    assert (tmp_path / "outputs/train/mine/checkpoint.pt").read_bytes() == before


def test_refusal_at_the_lock_keeps_the_status(lrx: Lrx, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two commands of one name that start together, the second finds the run of the first when it gets the lock."""
    before = (place / "outputs/train/run/status.json").read_bytes()
    monkeypatch.setattr(train, "check_folder", lambda *_: None)
    monkeypatch.setattr(train, "finished_training", lambda *_: None)
    assert_refused(lrx("train", *TINY, "name=run", "seed=3"), "seed (was 0, now 3)")
    assert (place / "outputs/train/run/status.json").read_bytes() == before
