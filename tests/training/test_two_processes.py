"""Many processes at once, one run folder for two, and a clock that goes backwards."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lrx.runs import status
from lrx.storage import atomic, results
from tests.conftest import TINY, Lrx

pytestmark = pytest.mark.usefixtures("without_pictures")

WRITERS = """
import os, sys
from pathlib import Path
import numpy as np, torch
import torch._dynamo
from lrx.storage import results
from lrx.sample_quality import factor_probe as features
from lrx.data.grid import GridDataset
from lrx.core.factors import FactorSpace
from lrx.core.types import Array, AssayResult

class Pixels:
    def __len__(self): return 8
    def __getitem__(self, indices): return np.repeat(indices, 64).reshape(-1, 1, 8, 8).astype(np.uint8)

sweep, go = Path(sys.argv[1]), os.pipe()
factors = FactorSpace(("level",), (8,))
dataset = GridDataset(name="toy", source="made", fingerprint="f", factors=factors, pixels=Pixels())
children = []
for number in range(8):
    child = os.fork()
    if child == 0:
        os.close(go[1])
        os.read(go[0], 1)  # returns when the parent closes its end: all begin at once
        for count in range(1, 6):
            numbers = Array(np.full(1000, number + count / 10), ("place",))
            result = AssayResult({"x": numbers}, {}, scores={"count": count})
            results.write(sweep / str(number) / "result.h5", {"one": result}, {"seed": number})
        features.factor_probe(dataset, steps=1, cache=str(sweep / "probes"))
        os._exit(0)
    children.append(child)
os.close(go[1])
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def test_writers_share_one_probe(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WRITERS, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for number in range(8):
        (assay,) = results.read(tmp_path / str(number) / "result.h5").assays.values()
        assert assay.scores["count"] == 5
        assert (assay.arrays["x"].values == number + 0.5).all()
        assert os.listdir(tmp_path / str(number)) == ["result.h5"]
    (probe,) = (tmp_path / "probes").iterdir()
    assert torch.load(probe, weights_only=True)["format"] == "lrx probe 2"


def test_concurrent_removal_of_a_part_file(tmp_path: Path) -> None:
    (tmp_path / ".x.1.2.part").symlink_to(tmp_path / "gone")  # listed, and not there when it is looked at
    with atomic.atomic_path(tmp_path / "x") as beside:
        beside.write_text("whole")
    assert (tmp_path / "x").read_text() == "whole"


def test_folder_at_the_path_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError, match=r"cannot write .*x: is a directory"):
        atomic.write(tmp_path / "x", b"whole")
    with (
        pytest.raises(OSError, match=r"cannot write .*x: is a directory"),
        atomic.atomic_path(tmp_path / "x") as beside,
    ):
        beside.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_second_command_in_a_run_folder_is_refused(lrx: Lrx, tmp_path: Path, environment: dict[str, str]) -> None:
    words = ["train", *TINY, "trainer.steps=200", "name=one"]
    first = subprocess.Popen(
        [sys.executable, "-m", "lrx.cli", *words], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        run = tmp_path / "outputs/train/one"
        while not (run / "metrics.csv").exists():
            assert first.poll() is None
            time.sleep(0.002)
        first.send_signal(signal.SIGSTOP)
        second = lrx(*words)
        assert (second.returncode, second.stderr.count("\n")) == (2, 1), second.stderr
        assert f"is being worked on by process {first.pid} on " in second.stderr
        assert status.read(run).state == "running"
        first.send_signal(signal.SIGCONT)
        assert first.wait(60) == 0
    finally:
        first.kill()
        first.wait()
    assert status.read(run).state == "done"
    assert "is finished" in lrx(*words).stderr


def test_clock_that_goes_backwards(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backwards = itertools.count(time.time(), -86400.0)
    monkeypatch.setattr(time, "time", lambda: next(backwards))
    run = tmp_path / "outputs/train/back"
    run.mkdir(parents=True)
    for name, age in ((".checkpoint.pt.1.x.part", 0), (".status.json.1.x.part", -10 * 86400)):
        (run / name).touch()  # of others who are at work, one of them in our future
        os.utime(run / name, (backwards_now := next(backwards) - age, backwards_now))
    assert lrx("train", *TINY, "name=back").returncode == 0
    assert lrx("train", *TINY, "name=back").stderr.count("is finished") == 1
    assert lrx("assay", "ckpt=outputs/train/back", "assay.num_samples=16", "name=back").returncode == 0
    assert len(list(run.glob(".*.part"))) == 2
    assert results.read(tmp_path / "outputs/assay/back/result.h5").provenance["wall_time_s"] > 0
    assert status.read(run).rate > 0
