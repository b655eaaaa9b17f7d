"""Points in the files of TensorBoard and Weights & Biases, also of an interrupted run."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from lrx.training import metrics_log
from lrx.training.observers import Observers
from lrx.training.trackers import TRACKERS, make_trackers
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


def test_tensorboard_after_resume(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorBoard's own imports
        for start, steps in ((0, (5, 10, 15)), (10, (15, 20))):  # killed after step 15, whose checkpoint was of step 10
            with closing(Observers(*make_trackers(["tensorboard"], tmp_path, "seed: 0"))) as trackers:
                trackers.start(start)
                for step in steps:
                    trackers.log(step, {"loss": step / 2 + start, "kl": 1.0})
    found = events(tmp_path / "tensorboard")
    assert set(found) == {"train/loss", "train/kl"}
    assert found["train/loss"] == [[5, 2.5], [10, 5.0], [15, 17.5], [20, 20.0]]


def test_tensorboard_after_restart(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for shift in (0, 100):  # killed before the first checkpoint
            with closing(Observers(*make_trackers(["tensorboard"], tmp_path, "seed: 0"))) as trackers:
                trackers.start(0)
                for step in (5, 10):
                    trackers.log(step, {"loss": float(step + shift)})
    assert events(tmp_path / "tensorboard") == {"train/loss": [[5, 105.0], [10, 110.0]]}


def test_tensorboard_has_earlier_steps_and_survives_a_kill(tmp_path: Path) -> None:
    log = metrics_log.MetricsLog(tmp_path)
    for step in (5, 10, 15):
        log.log(step, {"loss": float(step)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with closing(Observers(*make_trackers(["tensorboard"], tmp_path, "seed: 0"))) as trackers:
            trackers.start(10)
            trackers.log(15, {"loss": 115.0})
            found = events(tmp_path / "tensorboard")  # as if it were killed here
    assert found == {"train/loss": [[5, 5.0], [10, 10.0], [15, 115.0]]}


# the steps and losses of W&B's own records: 7 bytes before the first and before each, where its size stands
READ_WANDB = """
import json, struct, sys
from wandb.proto.wandb_internal_pb2 import Record

data, at, points = open(sys.argv[1], "rb").read(), 7, []
while at < len(data):
    size = struct.unpack_from("<H", data, at + 4)[0]
    record = Record.FromString(data[at + 7 : at + 7 + size])
    at += 7 + size
    if record.WhichOneof("record_type") == "history":
        row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        points.append((row["_step"], row["train/loss"]))
print(json.dumps(points))
"""
FOLLOW = """
import sys
from pathlib import Path
from contextlib import closing
from lrx.training.metrics_log import MetricsLog
from lrx.training.observers import Observers
from lrx.training.trackers import make_trackers

folder, start = Path(sys.argv[1]), int(sys.argv[2])
with closing(Observers(MetricsLog(folder), *make_trackers(["wandb"], folder, "seed: 0"))) as observers:
    observers.start(start)
    for step in map(int, sys.argv[3:]):
        observers.log(step, {"loss": step / 2 + start})
"""


def test_wandb_offline_after_resume(tmp_path: Path, environment: dict[str, str]) -> None:
    def said(code: str, *words: str) -> str:
        command = [sys.executable, "-W", "ignore", "-c", code, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = []
    for words in (["0", "5", "10", "15"], ["10", "15", "20"]):  # killed after step 15, with a checkpoint of step 10
        said(FOLLOW, str(tmp_path), *words)
        (log,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
        found.append(json.loads(said(READ_WANDB, str(log))))
    assert found == [[[5, 2.5], [10, 5.0], [15, 7.5]], [[5, 2.5], [10, 5.0], [15, 17.5], [20, 20.0]]]


def test_trackers_are_imported_lazily() -> None:
    code = (
        "import sys, lrx.cli.commands.train, lrx.training.trackers as trackers\n"
        "print([name for name in sys.modules if name.split('.')[0] in trackers.TRACKERS])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_unknown_and_missing_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for names in ("tensorboard", ["mlflow"], 3):
        with pytest.raises(ValueError, match=r"track must list some of tensorboard, wandb, .* not "):
            make_trackers(names, tmp_path, "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in TRACKERS:
        with pytest.raises(ValueError, match=rf"track={name} needs a package: pip install -e '\.\[{name}\]'"):
            make_trackers([name], tmp_path, "")
    assert make_trackers([], tmp_path, "") == []


def test_track_on_the_command_line(lrx: Lrx, lrx_process: Lrx, tmp_path: Path) -> None:
    done = lrx_process("train", *TINY, "track=[tensorboard]", "name=followed")
    assert done.returncode == 0, done.stderr
    found = events(tmp_path / "outputs/train/followed/tensorboard")
    assert [step for step, _ in found["train/loss"]] == [5, 10, 15, 20]
    rows = [json.loads(line) for line in (tmp_path / "outputs/train/followed/metrics.jsonl").read_text().splitlines()]
    assert [value for _, value in found["train/loss"]] == pytest.approx([row["loss"] for row in rows], rel=1e-6)
    again = lrx("train", *TINY, "name=followed")  # how a run is followed is not what it computes
    assert "is finished" in again.stderr
