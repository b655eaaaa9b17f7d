"""What TensorBoard and Weights & Biases are told of a run, also when it is interrupted, read back from their files."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from lrx.training.trackers import TRACKERS, Trackers
from tests.conftest import TINY, Lrx


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The points of every curve, in a process of its own: TensorBoard's reader warns of what does not concern us."""
    code = (
        "import json, sys\n"
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
        "read = EventAccumulator(sys.argv[1]); read.Reload()\n"
        "tags = read.Tags()['scalars']\n"
        "print(json.dumps({tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in tags}))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_tensorboard_has_the_curves_and_a_resumed_run_has_them_once(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorBoard's own imports
        for start, steps in ((0, (5, 10, 15)), (10, (15, 20))):  # killed after step 15, whose checkpoint was of step 10
            with Trackers(["tensorboard"], tmp_path, "seed: 0") as trackers:
                trackers.start(start)
                for step in steps:
                    trackers.log(step, {"loss": step / 2 + start, "kl": 1.0})
    found = events(tmp_path / "tensorboard")
    assert set(found) == {"train/loss", "train/kl"}
    assert found["train/loss"] == [[5, 2.5], [10, 5.0], [15, 17.5], [20, 20.0]]


def test_wandb_works_without_a_network(tmp_path: Path, environment: dict[str, str]) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom lrx.training.trackers import Trackers\n"
        "with Trackers(['wandb'], Path(sys.argv[1]), 'seed: 0') as trackers:\n"
        "    trackers.start(0)\n"
        "    for step in (5, 10): trackers.log(step, {'loss': 1 / step})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    (log,) = run.glob("run-*.wandb")
    assert b"train/loss" in log.read_bytes()


def test_what_is_unknown_or_not_installed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for names in ("tensorboard", ["mlflow"], 3):
        with pytest.raises(ValueError, match=r"track must list some of tensorboard, wandb, .* not "):
            Trackers(names, tmp_path, "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in TRACKERS:
        with pytest.raises(ValueError, match=rf"track={name} needs a package: pip install '\.\[{name}\]'"):
            Trackers([name], tmp_path, "")
    Trackers([], tmp_path, "")


def test_a_run_is_followed_from_the_command_line(lrx_process: Lrx, tmp_path: Path) -> None:
    done = lrx_process("train", *TINY, "track=[tensorboard]", "name=followed")
    assert done.returncode == 0, done.stderr
    found = events(tmp_path / "outputs/train/followed/tensorboard")
    assert [step for step, _ in found["train/loss"]] == [5, 10, 15, 20]
    rows = [json.loads(line) for line in (tmp_path / "outputs/train/followed/metrics.jsonl").read_text().splitlines()]
    assert [value for _, value in found["train/loss"]] == pytest.approx([row["loss"] for row in rows], rel=1e-6)
    again = lrx_process("train", *TINY, "name=followed")  # how a run is followed is not what it computes
    assert "is finished" in again.stderr
