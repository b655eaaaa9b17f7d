"""Two processes that share every batch, against one; killed, hung, and started again."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lrx.cli import main
from lrx.core.row_noise import normal_like
from lrx.training import checkpoint, distributed, loop
from lrx.training.distributed import SINGLE_PROCESS, Ranks
from tests.conftest import TINY, Lrx
from tests.support.observers import Callbacks
from tests.support.processes import begin, join_as, two
from tests.training.test_loop import SETTINGS

CPU = torch.device("cpu")
HELIX = [*TINY, "trainer.checkpoint_every=5", "trainer.device=cpu"]


class Points:
    """Forty vectors in float64."""

    name, source, fingerprint, observation_shape = "points", "sines", "0", (3,)

    def __len__(self) -> int:
        return 40

    def raw(self, indices: Tensor) -> Tensor:
        return torch.sin(indices[:, None] * torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))

    images = raw


class Noisy(nn.Module):
    """A linear autoencoder in float64 whose codes are noisy; it learns from pairs."""

    observation_shape, latent_dim, mean_over_images = (3,), 2, True

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = (
            nn.Parameter(torch.ones(shape, dtype=torch.float64)) for shape in ((3, 2), (2, 3))
        )

    def encode(self, x: Tensor) -> Tensor:
        return x @ self.encoder

    def decode(self, z: Tensor) -> Tensor:
        return z @ self.decoder

    def partners(self, dataset: object, indices: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randint(40, indices.shape, generator=generator)

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        z = self.encode(x)
        error = (self.decode(z + normal_like(z, generator)) - x).square().sum(1)
        near = (z.chunk(2)[0] - z.chunk(2)[1]).square().sum(1)
        return {"loss": (error + near.repeat(2)).mean(), "near": near.mean()}


def train_noisy(path: Path, ranks: Ranks) -> tuple[list[dict[str, float]], dict[str, Tensor]]:
    """What is logged over 12 steps with batches of 11 pairs and clipped gradients, and the weights then."""
    model, rows = Noisy(), []
    loop.train(
        *(model, Points(), replace(SETTINGS, batch_size=11, clip=0.5, log_every=1)),
        seed=1,
        path=path,
        ranks=ranks,
        observer=Callbacks(on_log=lambda step, row: rows.append(dict(row))),
    )
    return rows, model.state_dict()


def noisy_process(rank: int, port: int, folder: Path) -> None:
    join_as(rank, port)
    with distributed.process_group(CPU) as (ranks, _):
        torch.save(train_noisy(folder / "two.pt", ranks), folder / f"{rank}.pt")


def lrx_process(
    rank: int,
    port: int,
    words: list[str],
    folder: Path,
    killed_at: int | None,
    with_signal: int = signal.SIGKILL,
    patience: int = 60,
) -> None:
    """`lrx ...` as typed; killed when it is about to do step `killed_at`."""
    join_as(rank, port)
    os.environ["LRX_PATIENCE"] = str(patience)
    os.chdir(folder)
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{name}{rank}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    schedule = loop.schedule

    def watched(settings: loop.TrainSettings, step: int) -> float:
        if step == killed_at:
            os.kill(os.getpid(), with_signal)
        return schedule(settings, step)

    loop.schedule = watched
    sys.exit(main.main(words))


def test_two_processes_equal_one(tmp_path: Path) -> None:
    """In float64, to what the order of sums leaves open; batches of 11 pairs are 6 and 5."""
    assert two(noisy_process, tmp_path) == [0, 0]
    rows, weights = train_noisy(tmp_path / "one.pt", SINGLE_PROCESS)
    assert len(rows) == 12
    for rank in range(2):
        their_rows, their_weights = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for row, theirs in zip(rows, their_rows, strict=True):
            assert theirs == pytest.approx(row, rel=1e-12, abs=0)
        for key, value in weights.items():
            assert torch.allclose(their_weights[key], value, rtol=1e-12, atol=0)
    saved = checkpoint.load(tmp_path / "two.pt")
    assert saved.finished
    assert all(torch.equal(value, their_weights[key]) for key, value in saved.model.items())


def only_line(file: Path) -> str:
    """The one message of lrx in a file, however wide the terminal is."""
    text = " ".join(file.read_text().split())
    assert text.count("lrx: ") == 1, text
    return text


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights_of(folder: Path) -> dict[str, Tensor]:
    return checkpoint.load(folder / "checkpoint.pt").model


def test_resume_after_kills_gives_same_weights(lrx: Lrx, tmp_path: Path) -> None:
    """The losses of one process in float32; and after a kill of either, the weights of no kill, bit for bit."""
    assert lrx("train", *HELIX, "name=one").returncode == 0
    runs, here = tmp_path / "outputs/train", (tmp_path, None)
    words = ["train", *HELIX, "name=two"]
    codes = two(lrx_process, [*words, "then=[codes,'assay.num_images=8']"], each=[here, here])
    assert codes == [0, 0], (tmp_path / "err0").read_text()
    assert losses(runs / "two") == pytest.approx(losses(runs / "one"), rel=1e-5)
    assert (runs / "two/codes/result.h5").exists()
    assert "trained 20 steps" in (tmp_path / "err0").read_text()
    assert (tmp_path / "out1").read_text() == (tmp_path / "err1").read_text() == ""  # the first one speaks

    whole = weights_of(runs / "two")
    for name, steps in (("second", (None, 12)), ("first", (13, None))):
        words[-1] = f"name={name}"
        codes = two(lrx_process, words, each=[(tmp_path, step) for step in steps])
        assert codes == [2 if step is None else -signal.SIGKILL for step in steps]
        for rank in (rank for rank, step in enumerate(steps) if step is None):
            assert "another process of this training has ended" in only_line(tmp_path / f"err{rank}")
        assert checkpoint.load(runs / name / "checkpoint.pt").step == 10
        assert two(lrx_process, words, each=[here, here]) == [0, 0], (tmp_path / "err0").read_text()
        assert "resuming at step 10" in (tmp_path / "err0").read_text()
        assert losses(runs / name) == losses(runs / "two")
        assert all(torch.equal(value, whole[key]) for key, value in weights_of(runs / name).items())


def test_different_run_folders_are_refused(tmp_path: Path) -> None:
    words, elsewhere = ["train", *HELIX, "name=run"], tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert two(lrx_process, words, each=[(tmp_path, 7), (tmp_path, 7)]) == [-signal.SIGKILL] * 2
    assert two(lrx_process, words, each=[(tmp_path, None), (elsewhere, None)]) == [2, 2]
    for file in (tmp_path / "err0", elsewhere / "err1"):
        assert "differ in the step to start at (5, 0): they must see the same run folder" in only_line(file)


@pytest.mark.parametrize("stopped", [0, 1])
def test_hung_process_ends_the_other(stopped: int, tmp_path: Path) -> None:
    """SIGSTOP leaves its connections open, as does a machine that loses its network; the other waits no longer."""
    each: list[tuple[object, ...]] = [(tmp_path, None, signal.SIGSTOP, 2), (tmp_path, None, signal.SIGSTOP, 2)]
    each[stopped] = (tmp_path, 12, signal.SIGSTOP, 2)
    started = begin(lrx_process, ["train", *HELIX, "name=hung"], each=each)
    try:
        started[1 - stopped].join(30)
        assert started[1 - stopped].exitcode == 2
        line = only_line(tmp_path / f"err{1 - stopped}")
        assert "another process of this training has ended or cannot be reached" in line
        saved = checkpoint.load(tmp_path / "outputs/train/hung/checkpoint.pt")
        assert (saved.step, saved.finished) == (10, False)
    finally:
        started[stopped].kill()
        started[stopped].join()


def test_different_overrides_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    words = ["train", *HELIX, "name=run"]
    each = [([*words, "seed=0"], tmp_path / "one", None), ([*words, "seed=5"], tmp_path / "two", None)]
    assert two(lrx_process, each=each) == [2, 2]
    for file in (tmp_path / "one/err0", tmp_path / "two/err1"):
        assert "differ in seed (0, 5): start them all with the same command" in only_line(file)
    assert not (tmp_path / "one/outputs/train/run/checkpoint.pt").exists()


def test_sweep_in_one_process_group(lrx: Lrx, tmp_path: Path) -> None:
    """Runs one after the other, through one store."""
    here = (tmp_path, None)
    assert two(lrx_process, ["train", *HELIX, "seed=0,1", "name=sweep", "-m"], each=[here, here]) == [0, 0]
    folders = sorted((tmp_path / "outputs/train/sweep").glob("betavae-[01]-*"))
    assert len(folders) == 2
    for seed, folder in enumerate(folders):
        assert lrx("train", *HELIX, f"seed={seed}", f"name=one{seed}").returncode == 0
        assert losses(folder) == pytest.approx(losses(tmp_path / f"outputs/train/one{seed}"), rel=1e-5)
