"""Ranks and rendezvous of the processes of a training."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist

from lrx.training import distributed
from lrx.training.distributed import SINGLE_PROCESS, Ranks, export_slurm_ranks, ranks_of
from tests.support.processes import CONTEXT, begin, free_port, join_as, two, wait_for

CPU = torch.device("cpu")


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


def gpu_of_second_process(monkeypatch: pytest.MonkeyPatch, *, seen: int, first: str, second: str) -> torch.device:
    """Device of process 1 of 2 on a machine, which sees so many GPUs, for the ids of the GPUs that both took."""
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: seen)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid=second))
    for name in ("_store", "PrefixStore", "all_reduce"):
        monkeypatch.setattr(distributed, name, lambda *given: None)
    for name in ("init_process_group", "destroy_process_group"):
        monkeypatch.setattr(dist, name, lambda *given, **named: None)

    def gather(into: list[str], own: str) -> None:
        into[:] = [own.replace(second, first), own]

    monkeypatch.setattr(dist, "all_gather_object", gather)
    with distributed.process_group(torch.device("cuda")) as (ranks, device):
        assert ranks.local_rank == 1
    return device


def test_task_that_sees_its_own_gpu_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_of_second_process(monkeypatch, seen=1, first="GPU-a", second="GPU-b") == torch.device("cuda", 0)
    assert gpu_of_second_process(monkeypatch, seen=2, first="GPU-a", second="GPU-b") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match="the 2 processes of this training see 1 GPU, and each needs one of its own"):
        gpu_of_second_process(monkeypatch, seen=1, first="GPU-a", second="GPU-a")


@pytest.mark.parametrize("given", ["0", "soon", "nan", "inf"])
def test_timeout_is_a_number_of_seconds(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRX_PATIENCE", given)
    refused = pytest.raises(ValueError, match=f"LRX_PATIENCE must be a number of seconds of at least 1, not '{given}'")
    with refused, distributed.process_group(CPU):
        pass


def comparing_process(rank: int, port: int, folder: Path, values: dict[str, str]) -> None:
    join_as(rank, port)
    with distributed.process_group(CPU) as (ranks, _):
        ranks.check_equal_across_ranks({"seed": "0"}, "never")
        try:
            ranks.check_equal_across_ranks(values, "start all alike")
        except ValueError as error:
            (folder / str(rank)).write_text(str(error))


def test_check_equal_names_what_differs(tmp_path: Path) -> None:
    """Each of them, and the keys that they have alike are left out."""
    values = [{"seed": "0", "lr": "1", "same": "x"}, {"seed": "5", "same": "x"}]
    assert two(comparing_process, tmp_path, each=[(values[0],), (values[1],)]) == [0, 0]
    line = "the 2 processes of this training differ in lr (1, not there); seed (0, 5): start all alike"
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == [line, line]
