"""Two processes that share every batch, against one; killed, and started again."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lrx.cli import main
from lrx.core.row_noise import normal_like, row_generator
from lrx.training import checkpoint, distributed, loop
from lrx.training.distributed import ALONE, Ranks, ranks_of
from lrx.training.rendezvous import meet, meeting_place
from tests.cli.test_configs import GROUPS, model_from
from tests.conftest import TINY, Lrx
from tests.training.test_loop import SETTINGS

CPU = torch.device("cpu")
HELIX = [*TINY, "trainer.checkpoint_every=5", "trainer.device=cpu"]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.training.test_distributed", "torch._dynamo"])  # seconds of imports, once


# ---------------------------------------------------------------------------------------------- who has which rows


def test_torchrun_and_slurm_say_who_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ranks_of({}) == ranks_of({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}) == ALONE  # a batch script is no step
    torchrun = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}
    assert ranks_of(torchrun) == Ranks(3, 4, 1)
    step = {"SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "0", "SLURM_JOB_ID": "20007"}
    assert ranks_of(step) == Ranks(2, 8, 0)


def test_the_tasks_of_a_slurm_step_meet_on_its_first_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = {"SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "8", "SLURM_JOB_ID": "20007"}
    host, ports = meeting_place(step | {"MASTER_ADDR": "head"})
    assert host == "head"
    assert len(set(ports)) == 3
    assert all(20_000 <= port < 32_768 for port in ports)
    assert meeting_place(step | {"MASTER_ADDR": "head", "SLURM_PROCID": "5"})[1] == ports  # for all of a step
    other = meeting_place(step | {"MASTER_ADDR": "head", "SLURM_STEP_ID": "1"})[1]
    assert not set(other) & set(ports)  # for no other of the job
    assert meeting_place(step | {"MASTER_ADDR": "head", "MASTER_PORT": "7"}) == ("head", [7])

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"scontrol does not name .* 'node\[3-4\]'; give MASTER_ADDR"):
        meeting_place(step | {"SLURM_STEP_NODELIST": "node[3-4]"})
    (tmp_path / "scontrol").write_text(
        "#!/bin/sh\n[ \"$*\" = 'show hostnames node[3-4]' ] && echo node3 && echo node4\n"
    )
    (tmp_path / "scontrol").chmod(0o755)
    assert meeting_place(step | {"SLURM_STEP_NODELIST": "node[3-4]"}) == ("node3", ports)


def test_rows_are_shared_and_the_noise_of_each_is_that_of_the_whole_batch() -> None:
    class Model(nn.Module):
        mean_over_images = True
        observation_shape, latent_dim = (1,), 1

        def __getattr__(self, name: str) -> object:
            return len if name in ("encode", "decode", "loss") else super().__getattr__(name)

    assert ALONE.part(Model(), 7, CPU).rows.tolist() == list(range(7))
    parts = [Ranks(rank, 3).part(Model(), 7, CPU) for rank in range(3)]
    assert [part.rows.tolist() for part in parts] == [[0, 1, 2], [3, 4], [5, 6]]
    assert sum(part.share for part in parts) == pytest.approx(1)
    whole = torch.empty(7, 3).normal_(generator=torch.Generator().manual_seed(5))
    assert torch.equal(normal_like(whole, torch.Generator().manual_seed(5)), whole)
    for part in parts:
        part.generator.manual_seed(5)
        assert torch.equal(normal_like(whole[part.rows], part.generator), whole[part.rows])
    with pytest.raises(ValueError, match="3 processes cannot share batches of 2 images"):
        Ranks(0, 3).part(Model(), 2, CPU)


def test_a_port_that_somebody_else_has_is_passed_over(tmp_path: Path) -> None:
    environment = {"SLURM_JOB_ID": str(os.getpid()), "MASTER_ADDR": "127.0.0.1"}
    ports = meeting_place(environment)[1]
    with socket.create_server(("127.0.0.1", ports[0])) as other, ThreadPoolExecutor() as pool:
        greeter = pool.submit(lambda: other.accept()[0].close())  # one that speaks otherwise
        both = [pool.submit(meet, environment, rank, 2, timedelta(seconds=30)) for rank in range(2)]
        stores = [waiting.result() for waiting in both]
        greeter.result()
        stores[0].set("word", "heard")
        assert stores[1].get("word") == b"heard"
        taken = environment | {"MASTER_PORT": str(ports[0])}
        with pytest.raises(ValueError, match=rf"on 127.0.0.1: {ports[0]}; give MASTER_PORT, a free one"):
            meet(taken, 0, 2, timedelta(seconds=1))
    with pytest.raises(RuntimeError, match="nobody speaks for"):
        meet(taken, 1, 2, timedelta(seconds=0.1))


def test_a_job_of_several_tasks_without_srun_trains_alone_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "2")
    with pytest.warns(UserWarning, match="this job has 2 tasks, of which one trains"), distributed.joined(CPU) as alone:
        assert alone == (ALONE, CPU)
    monkeypatch.setenv("SLURM_STEP_ID", "0")  # of one task
    with distributed.joined(CPU) as alone:
        assert alone == (ALONE, CPU)


@pytest.mark.parametrize("given", ["0", "soon", "nan", "inf"])
def test_patience_is_a_number_of_seconds(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRX_PATIENCE", given)
    refused = pytest.raises(ValueError, match=f"LRX_PATIENCE must be a number of seconds of at least 1, not '{given}'")
    with refused, distributed.joined(CPU):
        pass


AVERAGED = {"ae", "vae", "betavae", "adagvae", "sae", "adaae", "vlae"}


@pytest.mark.parametrize("name", GROUPS["model"])
def test_an_objective_that_says_so_is_the_mean_of_what_its_parts_give(name: str) -> None:
    model = model_from(f"model={name}", "latent_dim=6")
    assert model.mean_over_images == (name in AVERAGED)
    if name not in AVERAGED:
        with pytest.raises(ValueError, match=f"{type(model).__name__} has a loss that looks across the batch"):
            Ranks(0, 2).part(model, 6, CPU)
        return
    x = torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = model.loss(x, step=3, generator=torch.Generator().manual_seed(1))
        joined = dict.fromkeys(whole, 0.0)
        for rows in ([0, 3], [1, 2, 4, 5]):  # of pairs: the first, and the other two
            generator = row_generator(CPU, torch.tensor(rows), 6).manual_seed(1)
            for key, value in model.loss(x[rows], step=3, generator=generator).items():
                joined[key] += len(rows) / 6 * value.item()
    assert joined == pytest.approx({key: value.item() for key, value in whole.items()}, rel=1e-5)


def test_a_network_that_looks_across_the_batch_is_refused() -> None:
    model = model_from("model=vae", "network=conv_pythae", "latent_dim=4")
    with pytest.raises(ValueError, match="the network of this VAE normalises across the batch"):
        Ranks(0, 2).part(model, 6, CPU)


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
        device=CPU,
        path=path,
        config="",
        ranks=ranks,
        on_log=lambda step, row: rows.append(dict(row)),
    )
    return rows, model.state_dict()


def join_as(rank: int, port: int) -> None:
    """Make this process one of two, as torchrun does."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)


def noisy_process(rank: int, port: int, folder: Path) -> None:
    join_as(rank, port)
    with distributed.joined(CPU) as (ranks, _):
        torch.save(train_noisy(folder / "two.pt", ranks), folder / f"{rank}.pt")


def agreeing_process(rank: int, port: int, folder: Path, told: dict[str, str]) -> None:
    join_as(rank, port)
    with distributed.joined(CPU) as (ranks, _):
        ranks.agree_on({"seed": "0"}, "never")
        try:
            ranks.agree_on(told, "start all alike")
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


def begin(
    target: Callable[..., None], *arguments: object, each: Sequence[tuple[object, ...]]
) -> list[ForkServerProcess]:
    """Start a function in two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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


def test_processes_that_are_told_otherwise_hear_in_what(tmp_path: Path) -> None:
    """Each of them, and the keys that they have alike are left out."""
    told = [{"seed": "0", "lr": "1", "same": "x"}, {"seed": "5", "same": "x"}]
    assert two(agreeing_process, tmp_path, each=[(told[0],), (told[1],)]) == [0, 0]
    line = "the 2 processes of this training differ in lr (1, not there); seed (0, 5): start all alike"
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == [line, line]


def test_two_processes_do_what_one_does_with_the_joined_batch(tmp_path: Path) -> None:
    """In float64, to what the order of sums leaves open; batches of 11 pairs are 6 and 5."""
    assert two(noisy_process, tmp_path) == [0, 0]
    rows, weights = train_noisy(tmp_path / "one.pt", ALONE)
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
    """The one thing that lrx said, however wide the terminal is."""
    said = " ".join(file.read_text().split())
    assert said.count("lrx: ") == 1, said
    return said


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights_of(folder: Path) -> dict[str, Tensor]:
    return checkpoint.load(folder / "checkpoint.pt").model


def test_lrx_train_with_two_processes_killed_and_started_again(lrx: Lrx, tmp_path: Path) -> None:
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


def test_processes_that_see_different_folders_are_refused(tmp_path: Path) -> None:
    words, elsewhere = ["train", *HELIX, "name=run"], tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert two(lrx_process, words, each=[(tmp_path, 7), (tmp_path, 7)]) == [-signal.SIGKILL] * 2
    assert two(lrx_process, words, each=[(tmp_path, None), (elsewhere, None)]) == [2, 2]
    for said in (tmp_path / "err0", elsewhere / "err1"):
        assert "differ in the step to start at (5, 0): they must see the same run folder" in only_line(said)


@pytest.mark.parametrize("stopped", [0, 1])
def test_a_process_that_hangs_ends_the_other(stopped: int, tmp_path: Path) -> None:
    """SIGSTOP leaves its connections open, as does a machine that loses its network; the other waits no longer."""
    each: list[tuple[object, ...]] = [(tmp_path, None, signal.SIGSTOP, 2), (tmp_path, None, signal.SIGSTOP, 2)]
    each[stopped] = (tmp_path, 12, signal.SIGSTOP, 2)
    started = begin(lrx_process, ["train", *HELIX, "name=hung"], each=each)
    try:
        started[1 - stopped].join(30)
        assert started[1 - stopped].exitcode == 2
        said = only_line(tmp_path / f"err{1 - stopped}")
        assert "another process of this training has ended or cannot be reached" in said
        saved = checkpoint.load(tmp_path / "outputs/train/hung/checkpoint.pt")
        assert (saved.step, saved.finished) == (10, False)
    finally:
        started[stopped].kill()
        started[stopped].join()


def test_processes_with_different_overrides_are_refused_each_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    words = ["train", *HELIX, "name=run"]
    each = [([*words, "seed=0"], tmp_path / "one", None), ([*words, "seed=5"], tmp_path / "two", None)]
    assert two(lrx_process, each=each) == [2, 2]
    for said in (tmp_path / "one/err0", tmp_path / "two/err1"):
        assert "differ in seed (0, 5): start them all with the same command" in only_line(said)
    assert not (tmp_path / "one/outputs/train/run/checkpoint.pt").exists()
