"""Ranks, rendezvous, and two processes that share every batch, against one; killed, and started again."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lrx.cli import main
from lrx.core.row_noise import normal_like
from lrx.training import checkpoint, distributed, loop
from lrx.training.distributed import SINGLE_PROCESS, Ranks, export_slurm_ranks, ranks_of
from tests.conftest import TINY, Lrx
from tests.support.observers import Callbacks
from tests.training.test_loop import SETTINGS

CPU = torch.device("cpu")
HELIX = [*TINY, "trainer.checkpoint_every=5", "trainer.device=cpu"]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.training.test_distributed", "torch._dynamo"])  # seconds of imports, once


# ------------------------------------------------------------------------------------------ ranks and rendezvous


STEP = {"SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS": "8", "SLURM_LOCALID": "0"}
STEP |= {"SLURM_JOB_ID": "20007", "SLURM_STEP_ID": "0", "SLURM_JOB_NODELIST": "node[2-4]"}
STEP |= {"SLURM_STEP_NODELIST": "node[3-4]", "SLURM_JOB_NUM_NODES": "2"}
EXPORTED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def test_ranks_of_torchrun() -> None:
    # the batch script of a job is no step
    assert ranks_of({}) == ranks_of({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}) == SINGLE_PROCESS
    torchrun = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}
    assert ranks_of(torchrun) == Ranks(3, 4, 1)


def exported(monkeypatch: pytest.MonkeyPatch, **variables: str) -> tuple[Ranks, str, int]:
    """Ranks, address and port that a task of STEP exports, with other variables in place of some."""
    with monkeypatch.context() as patched:
        for name in EXPORTED:  # set first, so that what the export leaves is removed again
            patched.setenv(name, "")
            patched.delenv(name)
        for name, value in (STEP | variables).items():
            patched.setenv(name, value)
        export_slurm_ranks()
        assert "SUBMITIT_EXECUTOR" not in os.environ
        assert os.environ["SLURM_JOB_NODELIST"] == STEP["SLURM_JOB_NODELIST"]
        return ranks_of(os.environ), os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])


def test_ranks_of_a_slurm_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first machine is the step's, not the job's, and the port is the step's own."""
    ranks, host, port = exported(monkeypatch)
    assert ranks == Ranks(2, 8, 0)
    assert host == "node3"
    assert 20_000 <= port < 32_768
    assert exported(monkeypatch, SLURM_PROCID="5") == (Ranks(5, 8, 0), host, port)
    ports = {exported(monkeypatch, SLURM_STEP_ID=str(step))[2] for step in range(4)}
    ports.add(exported(monkeypatch, SLURM_RESTART_COUNT="1")[2])
    assert len(ports) == 5
    assert exported(monkeypatch, MASTER_ADDR="head", MASTER_PORT="7")[1:] == ("head", 7)
    assert exported(monkeypatch, MASTER_ADDR="head")[1:] == ("head", port)


def test_slurm_step_without_submitit(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in STEP.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "submitit.helpers", None)
    line = r"a Slurm step needs submitit: pip install -e '\.\[sweep\]' in the checkout of lrx, or start with torchrun"
    with pytest.raises(ValueError, match=line), distributed.process_group(CPU):
        pass


def meeting_process(rank: int, port: int, folder: Path, step: str, timeout: str) -> None:
    """Sum a value of each process of a Slurm step; write the sum, or the error's line."""
    join_as(rank, port)
    os.environ |= {"SLURM_JOB_ID": "1", "SLURM_STEP_ID": step, "LRX_PATIENCE": timeout}
    try:
        with distributed.process_group(CPU):
            (folder / f"ready{step}{rank}").touch()
            while not (folder / "go").exists():
                time.sleep(0.05)
            text = str(distributed.all_reduce(torch.tensor(10 ** int(step) * (rank + 1))).item())
    except ValueError as error:
        text = str(error)
    (folder / f"{step}.{rank}").write_text(text)


def test_port_of_another_step_does_not_mix_runs(tmp_path: Path) -> None:
    """The second step at the same port ends, each process with one line, and the first one works on."""
    port = free_port()
    first = begin(meeting_process, tmp_path, "0", "60", port=port)
    wait_for(tmp_path / "ready00", tmp_path / "ready01")
    second = begin(meeting_process, tmp_path, "1", "3", port=port)
    for process in second:
        process.join(30)
    assert [process.exitcode for process in second] == [0, 0]
    assert (tmp_path / "1.0").read_text() == f"port {port} of 127.0.0.1 is in use; set MASTER_PORT to a free one"
    assert "cannot be reached" in (tmp_path / "1.1").read_text()
    (tmp_path / "go").touch()
    for process in first:
        process.join(30)
    assert [(tmp_path / f"0.{rank}").read_text() for rank in range(2)] == ["3", "3"]


@pytest.mark.parametrize("rank", [0, 1])
def test_silent_server_at_the_port(rank: int, tmp_path: Path) -> None:
    """Another program that accepts and never answers, as a process that hangs does: one line after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = CONTEXT.Process(target=meeting_process, args=(rank, port, tmp_path, "0", "2"))
        process.start()
        process.join(30)
    line = "port {port} of 127.0.0.1 is in use" if rank == 0 else "rank 0 did not answer on 127.0.0.1:{port} within 2 s"
    assert (tmp_path / f"0.{rank}").read_text().startswith(line.format(port=port))


def test_missing_process(tmp_path: Path) -> None:
    port = free_port()
    process = CONTEXT.Process(target=meeting_process, args=(0, port, tmp_path, "0", "2"))
    process.start()
    process.join(30)
    assert (tmp_path / "0.0").read_text() == f"not all 2 processes came to 127.0.0.1:{port} within 2 s"


def test_warning_for_tasks_without_srun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "2")
    warning = pytest.warns(UserWarning, match="Slurm allocated 2 tasks but only one process is training; start with")
    with warning, distributed.process_group(CPU) as group:
        assert group == (SINGLE_PROCESS, CPU)
    monkeypatch.setenv("SLURM_STEP_ID", "0")  # of one task
    with distributed.process_group(CPU) as group:
        assert group == (SINGLE_PROCESS, CPU)


@pytest.mark.parametrize("given", ["0", "soon", "nan", "inf"])
def test_timeout_is_a_number_of_seconds(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRX_PATIENCE", given)
    refused = pytest.raises(ValueError, match=f"LRX_PATIENCE must be a number of seconds of at least 1, not '{given}'")
    with refused, distributed.process_group(CPU):
        pass


# ------------------------------------------------------------------------------------------------ two processes


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


def join_as(rank: int, port: int) -> None:
    """Make this process one of two, as torchrun does."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)


def noisy_process(rank: int, port: int, folder: Path) -> None:
    join_as(rank, port)
    with distributed.process_group(CPU) as (ranks, _):
        torch.save(train_noisy(folder / "two.pt", ranks), folder / f"{rank}.pt")


def comparing_process(rank: int, port: int, folder: Path, values: dict[str, str]) -> None:
    join_as(rank, port)
    with distributed.process_group(CPU) as (ranks, _):
        ranks.check_equal_across_ranks({"seed": "0"}, "never")
        try:
            ranks.check_equal_across_ranks(values, "start all alike")
        except ValueError as error:
            (folder / str(rank)).write_text(str(error))


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


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def wait_for(*files: Path) -> None:
    deadline = time.monotonic() + 60
    while not all(file.exists() for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def begin(
    target: Callable[..., None], *arguments: object, each: Sequence[tuple[object, ...]] = ((), ()), port: int = 0
) -> list[ForkServerProcess]:
    """Start a function in two processes that meet at this port; 0: a free one."""
    port = port or free_port()
    started = [CONTEXT.Process(target=target, args=(rank, port, *arguments, *each[rank])) for rank in range(2)]
    for process in started:
        process.start()
    return started


def two(target: Callable[..., None], *arguments: object, each: Sequence[tuple[object, ...]] = ((), ())) -> list[int]:
    """Run a function in two processes; their exit codes."""
    started = begin(target, *arguments, each=each)
    for process in started:
        process.join(120)
    assert all(process.exitcode is not None for process in started)
    return [process.exitcode for process in started]


def test_check_equal_names_what_differs(tmp_path: Path) -> None:
    """Each of them, and the keys that they have alike are left out."""
    values = [{"seed": "0", "lr": "1", "same": "x"}, {"seed": "5", "same": "x"}]
    assert two(comparing_process, tmp_path, each=[(values[0],), (values[1],)]) == [0, 0]
    line = "the 2 processes of this training differ in lr (1, not there); seed (0, 5): start all alike"
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == [line, line]


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
    """The losses of one process in float32; and after a kill of either or both, the weights of no kill, bit for bit."""
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
    for name, steps in (("second", (None, 12)), ("first", (13, None)), ("both", (14, 14))):
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
