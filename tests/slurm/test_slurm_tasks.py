"""One training by two tasks of a real Slurm job: together, two steps side by side, interrupted, and by the launcher."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import sys
from pathlib import Path

import pytest
import torch

from lrx.training import checkpoint
from tests.slurm.test_slurm import LAUNCHER, Cluster, assert_same_run, facts, has_begun, slurm, until

TRAIN = f"{sys.executable} -m lrx.cli train"
SHORT = "experiment=helix trainer.steps=20 trainer.batch_size=32 trainer.log_every=5"
LONG = "experiment=helix trainer.steps=2000 trainer.batch_size=32 trainer.checkpoint_every=200 trainer.log_every=200"
TASKS = ["+hydra.launcher.additional_parameters.ntasks_per_node=2"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(tmp_path_factory.mktemp("tasks"))


def submit(cluster: Cluster, script: str, name: str) -> str:
    """Submit a batch script with room for four tasks; the id of its job."""
    path = cluster.folder / f"{name}.sh"
    settings = f"LRX_DATA={cluster.folder}/data OMP_NUM_THREADS=1 PYTHONFAULTHANDLER=1"
    path.write_text(f"#!/bin/bash\nexport {settings}\n{script}\n")
    words = ["--parsable", "--ntasks=4", "--mem=3000", "--requeue", "--open-mode=append", f"--chdir={cluster.folder}"]
    return slurm("sbatch", *words, f"--output={cluster.folder}/{name}.out", str(path)).strip()


def ends_well(cluster: Cluster, name: str, job: str) -> None:
    def over() -> bool:
        state = facts(job)["JobState"]
        assert state != "FAILED", (cluster.folder / f"{name}.out").read_text()
        return state == "COMPLETED"

    until(over)


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_parallel_steps_and_job_without_srun(cluster: Cluster) -> None:
    step = f"srun --exact --ntasks=2 --mem=1000 {TRAIN} {SHORT}"
    script = f"{step} seed=0 name=zero & {step} seed=1 name=one & wait %1 && wait %2 && {TRAIN} {SHORT} name=forgot"
    job = submit(cluster, script, "steps")
    ends_well(cluster, "steps", job)
    text = " ".join((cluster.folder / "steps.out").read_text().split())
    assert text.count("trained 20 steps") == 3  # rank 0 of each step
    assert text.count("Slurm allocated 4 tasks but only one process is training") == 1
    runs = cluster.folder / "outputs/train"
    for seed, name in enumerate(("zero", "one")):
        cluster.train(*SHORT.split(), f"seed={seed}", f"name=alone{seed}")
        alone, together = runs / f"alone{seed}", runs / name
        assert losses(together) == pytest.approx(losses(alone), rel=1e-5)
        weights, theirs = (checkpoint.load(path / "checkpoint.pt").model for path in (alone, together))
        for key, value in weights.items():
            assert torch.allclose(theirs[key], value, rtol=1e-4, atol=1e-6), key
    assert_same_run(runs / "forgot", runs / "alone0")


def test_interactive_shell_trains_alone_and_its_step_together(cluster: Cluster) -> None:
    """What is typed in the shell of `srun --pty`, through a terminal."""
    typed = f"{TRAIN} {SHORT} name=shell; srun --overlap {TRAIN} {SHORT} name=all; exit\n"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cluster.folder)
        os.environ |= {"LRX_DATA": f"{cluster.folder}/data", "OMP_NUM_THREADS": "1"}
        os.execvp("srun", ["srun", "--ntasks=2", "--mem=1500", "--pty", "bash", "--norc"])
    os.write(terminal, typed.encode())
    text = b""
    with contextlib.suppress(OSError):  # the terminal is gone
        while select.select([terminal], [], [], 60)[0]:
            text += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, text.decode()
    words = " ".join(text.decode().split())
    assert words.count("Slurm allocated 2 tasks but only one process is training") == 1, words
    assert words.count("trained 20 steps") == 2, words
    runs = cluster.folder / "outputs/train"
    assert losses(runs / "all") == pytest.approx(losses(runs / "shell"), rel=1e-5)


@pytest.fixture(scope="module")
def whole(cluster: Cluster) -> Path:
    """The run of two tasks that nothing happens to."""
    ends_well(cluster, "whole", submit(cluster, f"srun --ntasks=2 {TRAIN} {LONG} name=whole", "whole"))
    return cluster.folder / "outputs/train/whole"


def test_launcher_with_two_tasks_resumes_after_requeue(whole: Path, cluster: Cluster) -> None:
    job = cluster.submit(*LONG.split(), *TASKS, name="launched")
    until(has_begun(cluster, "launched"))
    slurm("scontrol", "requeue", job)
    until(lambda: facts(job)["JobState"] in ("COMPLETED", "FAILED"))
    assert facts(job)["JobState"] == "COMPLETED", cluster.log("launched")
    assert facts(job)["NumTasks"] == "2"
    assert_same_run(cluster.run_folders("launched")[""], whole)


def test_launcher_refuses_unknown_key(cluster: Cluster) -> None:
    sweep = cluster.start("-m", *SHORT.split(), *LAUNCHER, "hydra.launcher.tasks_per_node=2", "name=refused")
    _, err = sweep.communicate(timeout=60)
    assert sweep.returncode == 2
    assert "there is no key hydra.launcher.tasks_per_node" in " ".join(err.split())
