"""Send SIGKILL at many moments of train, assay and collect, and check that no file is lost or read half-written.

    python scripts/kill.py [kills]        (50 of each command, unless another number is given)

Of `lrx assay`: one assay, several in `assay=paper`, and the metrics of codes.

A server imports lrx and forks a process for each command, so that a kill falls into the work and not into the imports.
Moments are drawn from a fixed seed, uniformly over the duration of the command. After each kill all existing files must
be readable; the command is repeated until it completes, and its files must equal those of a run without a kill. Prints
a table.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
import yaml

from lrx.core.paths import CHECKPOINT
from lrx.runs import status
from lrx.storage import results
from lrx.training import checkpoint

SEED = 0
LONGEST = 120.0  # seconds that a command may take
SERVER = """
import json, os, signal, sys, time
import scipy.stats, sklearn.ensemble, sklearn.linear_model, sklearn.metrics, torch._dynamo
from lrx.cli import main as cli
from lrx.cli.commands import assay, collect, prepare, report, show, status, train
import lrx.assays.response_matrix.assay, lrx.data.helix, lrx.models.betavae, lrx.models.networks.mlp
import lrx.assays.response_matrix.plot, lrx.assays.paper.assay, lrx.assays.metrics.assay, lrx.assays.metrics.plot
print("ready", flush=True)
for line in sys.stdin:
    words, seconds = json.loads(line)
    child = os.fork()
    if child == 0:
        said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1), os.dup2(said, 2)
        os._exit(cli.main(words))
    deadline = time.monotonic() + seconds
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:  # the child has not been waited for, so its number is still its own
            os.kill(child, signal.SIGKILL)
            ended = os.waitpid(child, 0)
            break
        time.sleep(0.0005)
    print(ended[1], flush=True)
"""
TINY = ["experiment=helix", "trainer.steps=40", "trainer.batch_size=32", "trainer.log_every=2"]
TRAIN = ["train", *TINY, "trainer.checkpoint_every=4", "name=run"]
ASSAY = ["assay", "ckpt=outputs/train/run", "assay.num_samples=64", "name=run"]
PAPER = ["assay", "ckpt=outputs/train/run", "assay=paper", "assay.only=[reconstruction,response_matrix,codes]"]
PAPER += ["assay.assays.response_matrix.num_samples=64", "name=paper"]
CODES = ["assay", "codes=codes.npz", "assay=metrics", "assay.only=[mig,mcc]", "name=codes"]
COLLECT = ["collect", "outputs"]


@dataclass
class Tally:
    """Counts of the kills of one command.

    seconds: duration without a kill. ends: number of completed runs. wholes: files that existed after a kill and were
    readable. parts: temporary files that kills left.
    """

    command: str
    seconds: float
    kills: int = 0
    ends: int = 0
    wholes: int = 0
    parts: int = 0


class Server:
    """Server that runs `lrx ...` in a folder, in a forked process with all imports done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=folder,
            env=os.environ | {"LRX_DATA": str(folder / "data"), "OMP_NUM_THREADS": "1"},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._line() == "ready"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, words: list[str], *, seconds: float = LONGEST) -> bool:
        """Run a command; return False if it was killed after `seconds`, True if it completed before."""
        assert self._process.stdin is not None
        print(json.dumps([words, seconds]), file=self._process.stdin, flush=True)
        ended = int(self._line())
        assert ended in (0, signal.SIGKILL), (self.folder / "said").read_text()
        return ended == 0

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def same_training(one: Path, other: Path) -> None:
    """Check that weights, curves and config of two runs are equal. AssertionError otherwise."""
    first, second = (checkpoint.load(run / CHECKPOINT) for run in (one, other))
    assert first.step == second.step == first.steps
    assert first.model.keys() == second.model.keys()
    assert all(torch.equal(value, second.model[key]) for key, value in first.model.items())
    for name in ("metrics.jsonl", "metrics.csv", "config.yaml"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def same_results(one: Path, other: Path) -> None:
    """Check that arrays, scores and pictures of two assays are equal. AssertionError otherwise."""
    first, second = (results.read(run / results.FILENAME).assays for run in (one, other))
    assert first.keys() == second.keys()
    for name, result in first.items():
        assert result.scores == second[name].scores
        for key, array in result.arrays.items():
            assert np.array_equal(array.values, second[name].arrays[key].values), key
    pictures = [{path.name: path.read_bytes() for path in run.glob("*.png")} for run in (one, other)]
    assert pictures[0] == pictures[1]


def same_collections(one: Path, other: Path) -> None:
    """Check that two collections are equal. AssertionError otherwise."""
    assert (one / "collected.csv").read_bytes() == (other / "collected.csv").read_bytes()
    with h5py.File(one / "collected.h5") as first, h5py.File(other / "collected.h5") as second:
        assert first.keys() == second.keys()


def check_whole(place: Path) -> int:
    """Read all files of lrx below a folder; return their number. AssertionError or ValueError for a damaged one."""
    readers: dict[str, Callable[[Path], object]] = {
        CHECKPOINT: checkpoint.load,
        results.FILENAME: results.read,
        "config.yaml": lambda path: yaml.safe_load(path.read_text())["seed"],
        "status.json": lambda path: json.loads(path.read_text())["state"],
        "collected.h5": lambda path: h5py.File(path).close(),
        "collected.csv": lambda path: path.read_text().splitlines()[1],
    }
    found = [path for name in readers for path in place.rglob(name)]
    for path in found:
        readers[path.name](path)
    for folder in {path.parent for path in place.rglob("status.json")}:
        told = status.read(folder)
        assert told is not None
        assert told.state in ("done", "interrupted"), told
        if told.state == "done":
            assert (folder / CHECKPOINT).exists() or (folder / results.FILENAME).exists()
    return len(found)


def kill(server: Server, words: list[str], made: Path, same: Callable[[Path, Path], None], *, kills: int) -> Tally:
    """Kill a command `kills` times, and compare each completed run; made: the folder that it writes to."""
    place, name = server.folder, f"{words[0]} {made.name}"
    began = time.monotonic()
    assert server.run(words)
    tally, chance = Tally(name, time.monotonic() - began), random.Random(f"{SEED} {name}")
    whole = place / f"{name}-whole"
    set_aside(made, whole, words)

    parts: set[str] = set()
    while tally.kills < kills:
        if server.run(words, seconds=chance.uniform(0, tally.seconds)):
            tally.ends += 1
            same(made, whole)
            set_aside(made, place / "ended", words)
        else:
            tally.kills += 1
            tally.wholes += check_whole(made)
            parts |= {path.name for path in made.glob(".*.part")}
    assert server.run(words)
    same(made, whole)
    tally.ends += 1
    tally.parts = len(parts)
    return tally


def set_aside(made: Path, aside: Path, words: list[str]) -> None:
    """Move the files of a command away, so that it starts again."""
    shutil.rmtree(aside, ignore_errors=True)
    if words != COLLECT:
        made.rename(aside)
        return
    aside.mkdir()
    for path in made.glob("collected.*"):
        path.rename(aside / path.name)


def kill_all(place: Path, *, kills: int) -> list[Tally]:
    """Kill each command `kills` times in an empty folder. AssertionError or ValueError at the first fault."""
    draw = np.random.default_rng(SEED)
    np.savez(place / "codes.npz", codes=draw.random((60, 3)), factors=draw.integers(0, 3, (60, 2)))
    with Server(place) as server:
        return [
            kill(server, TRAIN, place / "outputs/train/run", same_training, kills=kills),
            kill(server, ASSAY, place / "outputs/assay/run", same_results, kills=kills),
            kill(server, PAPER, place / "outputs/assay/paper", same_results, kills=kills),
            kill(server, CODES, place / "outputs/assay/codes", same_results, kills=kills),
            kill(server, COLLECT, place / "outputs", same_collections, kills=kills),
        ]


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as folder:
        tallies = kill_all(Path(folder), kills=kills)
    print(
        "| command | undisturbed | kills | intact files after kills | temporary files left | completed as undisturbed |"
    )
    print("|---|---|---|---|---|---|")
    for tally in tallies:
        row = (f"`lrx {tally.command}`", f"{tally.seconds:.2f} s", tally.kills, tally.wholes, tally.parts, tally.ends)
        print(f"| {' | '.join(map(str, row))} |")


if __name__ == "__main__":
    main()
