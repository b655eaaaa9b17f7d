"""Sweeps on a real Slurm: `make test-slurm` brings one up on this machine and runs these.

Whatever happens to a job, it ends with bit for bit the weights of a run that nothing happened to.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lrx.runs import status
from lrx.training import checkpoint

LAUNCHER = ["hydra/launcher=lrx_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1"]
# Some twenty seconds of work on an idle core, more than a job that is told to end may go on for (KillWait in up.sh). It
# is told when it has done 200 of the steps.
RUN = ["experiment=helix", "trainer.steps=20000", "trainer.batch_size=32"]
RUN += ["trainer.checkpoint_every=200", "trainer.log_every=200"]


class Cluster:
    """A folder to work in, `lrx` as typed there, and what Slurm says of jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"LRX_DATA": str(folder / "data"), "OMP_NUM_THREADS": "1"}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`lrx train ...`, which goes on beside the test."""
        return subprocess.Popen(
            [sys.executable, "-m", "lrx.cli", "train", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def train(self, *words: str) -> str:
        """`lrx train ...`, which must end well; what it printed on standard output."""
        process = self.start(*words)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return out

    def submit(self, *words: str, name: str) -> str:
        """Submit a sweep without waiting for it; the id of its array or job."""
        submitted = re.fullmatch(r"submitted (\S+): (\S+)\n", self.train("-m", *LAUNCHER, *words, f"name={name}"))
        assert submitted
        assert submitted[2] == f"outputs/train/{name}"
        return submitted[1]

    def run_folders(self, name: str) -> dict[str, Path]:
        """The run folders of a sweep that there are by now, by seed."""
        known = {path: status.read(path) for path in (self.folder / "outputs/train" / name).glob("*/")}
        seeds = {
            path: [word for word in now.overrides if word.startswith("seed=")] for path, now in known.items() if now
        }
        return {words[0] if words else "": path for path, words in seeds.items()}

    def log(self, name: str) -> str:
        """All that the jobs of a sweep printed."""
        files = (self.folder / "outputs/train" / name / ".submitit").glob("*/*_log.*")
        return "\n".join(path.read_text() for path in files)


def slurm(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def facts(job: str) -> dict[str, str]:
    """What the controller knows of a job, such as JobState and Restarts."""
    return dict(
        word.split("=", 1) for word in slurm("scontrol", "--oneliner", "show", "job", job).split() if "=" in word
    )


def until(condition: Callable[[], object], *, seconds: float = 300) -> None:
    """Wait until a condition holds. Requeued jobs, which Slurm holds back for two minutes, may start at once."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, slurm("scontrol", "show", "job")
        for line in slurm("squeue", "--noheader", "--states=PENDING", "--format=%i %r").splitlines():
            if line.endswith(" BeginTime"):
                slurm("scontrol", "update", f"jobid={line.split()[0]}", "starttime=now")
        time.sleep(0.2)


def has_completed(cluster: Cluster, name: str, job: str) -> Callable[[], bool]:
    """Whether a job has ended well; one that failed ends the test with the logs of its sweep."""

    def completed() -> bool:
        state = facts(job)["JobState"]
        assert state != "FAILED", cluster.log(name)
        return state == "COMPLETED"

    return completed


def has_begun(cluster: Cluster, name: str, seed: str = "") -> Callable[[], bool]:
    """Whether a run is some way through, so that its job can be interrupted."""

    def begun() -> bool:
        folder = cluster.run_folders(name).get(seed)
        now = status.read(folder) if folder else None
        return now is not None and now.state == "running" and now.step >= 200

    return begun


def assert_same_run(one: Path, other: Path) -> None:
    first, second = (checkpoint.load(path / "checkpoint.pt") for path in (one, other))
    assert first.finished
    assert first.step == second.step
    assert first.model.keys() == second.model.keys()
    for key, value in first.model.items():
        assert torch.equal(value, second.model[key]), key
    assert (one / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(tmp_path_factory.mktemp("slurm"))


@pytest.fixture(scope="module")
def slow(cluster: Cluster) -> str:
    """A job that is as good as stuck, so that its minute runs out while the other tests go on. Nothing preempts it."""
    limits = ["timeout_min=1", "signal_delay_s=5", "max_num_timeout=5", "partition=urgent"]
    job = cluster.submit(*RUN, *(f"hydra.launcher.{limit}" for limit in limits), name="slow")
    until(has_begun(cluster, "slow"))
    slurm("scancel", "--signal=STOP", job)
    return job


@pytest.fixture(scope="module")
def whole(slow: str, cluster: Cluster) -> Path:
    """The run that nothing happens to."""
    cluster.train(*RUN, "name=whole")
    return cluster.folder / "outputs/train/whole"


def test_two_by_two_sweep_is_one_array(slow: str, cluster: Cluster) -> None:
    words = ["dataset=helix", "network=mlp", "model.reconstruction=gaussian", "latent_dim=2", "trainer.steps=20"]
    words += ["model=vae,betavae", "seed=0,1", "-m"]
    printed = cluster.train(*words, *LAUNCHER, "hydra.launcher.wait=true", "name=array")
    array = re.fullmatch(r"submitted (\d+)_\[0-3\]: outputs/train/array\n", printed)
    assert array
    until(lambda: all(has_completed(cluster, "array", f"{array[1]}_{task}")() for task in range(4)))
    assert facts(f"{array[1]}_3")["ArrayJobId"] == array[1]
    assert facts(f"{array[1]}_3")["JobName"] == "lrx-array"
    cluster.train(*words, "name=here")
    folders = [path.name for path in (cluster.folder / "outputs/train/here").glob("*/")]
    assert len(folders) == 4
    for folder in folders:
        assert_same_run(*(cluster.folder / "outputs/train" / name / folder for name in ("array", "here")))


def test_sweep_of_several_arrays_keeps_its_limit(cluster: Cluster) -> None:
    """Ten jobs, of which two run at a time: two chains of two arrays, as an array takes four jobs."""
    words = ["-m", "experiment=helix", "trainer.steps=1", "seed=range(10)", "hydra.launcher.max_parallel=2"]
    sweep = cluster.start(*words, *LAUNCHER, "hydra.launcher.wait=true", "name=several")
    assert sweep.stdout
    submitted = re.fullmatch(r"submitted ([\d_\[\]\- ]+): outputs/train/several\n", sweep.stdout.readline())
    assert submitted
    assert [array.partition("_")[2] for array in submitted[1].split()] == ["[0-1]", "[0-2]", "[0-1]", "[0-2]"]
    most, ids = 0, {array.partition("_")[0] for array in submitted[1].split()}
    while sweep.poll() is None:
        running = slurm("squeue", "--noheader", "--array", "--states=RUNNING,COMPLETING", "--format=%F").split()
        most = max(most, sum(array in ids for array in running))
        time.sleep(0.2)
    _, err = sweep.communicate()
    assert (sweep.returncode, most) == (0, 2), err
    runs = cluster.run_folders("several")
    states = [status.read(runs[f"seed={seed}"]) for seed in range(10)]
    assert [now.state for now in states if now] == ["done"] * 10
    assert all(checkpoint.load(folder / "checkpoint.pt").finished for folder in runs.values())


def test_threads_of_job_under_profile(cluster: Cluster) -> None:
    profile = "hydra.launcher.setup=['export MKL_NUM_THREADS=1']"
    job = cluster.submit("experiment=helix", "trainer.steps=1", profile, "hydra.launcher.cpus_per_task=2", name="mkl")
    until(has_completed(cluster, "mkl", job))
    done = status.read(cluster.run_folders("mkl")[""])
    assert done
    assert done.threads == 2


def test_yaml_edited_while_jobs_wait(cluster: Cluster) -> None:
    yaml = cluster.folder / "mine/experiment/frozen.yaml"
    yaml.parent.mkdir(parents=True)
    text = "# @package _global_\ndefaults: [helix]\ntrainer: {steps: 20, lr: 0.005}\n"
    yaml.write_text(text)
    words = ["--config-dir=mine", "experiment=frozen"]
    cluster.train(*words, "name=before")
    job = cluster.submit(*words, "+hydra.launcher.additional_parameters.hold=true", name="frozen")
    folder = cluster.run_folders("frozen")[""]
    queued = status.read(folder)
    assert queued
    assert (queued.state, queued.job) == ("queued", job)
    yaml.write_text(text.replace("0.005", "0.5"))
    slurm("scontrol", "release", job)
    until(has_completed(cluster, "frozen", job))
    assert "lr: 0.005\n" in (folder / "config.yaml").read_text()
    assert_same_run(folder, cluster.folder / "outputs/train/before")


def test_a_job_that_is_requeued_by_hand_resumes(whole: Path, cluster: Cluster) -> None:
    job = cluster.submit(*RUN, name="requeued")
    until(has_begun(cluster, "requeued"))
    slurm("scontrol", "requeue", job)
    until(has_completed(cluster, "requeued", job))
    assert facts(job)["Restarts"] == "1"
    assert "resuming at step" in cluster.log("requeued")
    assert_same_run(cluster.run_folders("requeued")[""], whole)


def test_a_job_that_is_preempted_resumes(whole: Path, cluster: Cluster) -> None:
    cores = ["hydra.launcher.cpus_per_task=3", "hydra.launcher.setup=['export OMP_NUM_THREADS=1']"]
    job = cluster.submit(*RUN, *cores, name="preempted")
    until(has_begun(cluster, "preempted"))
    slurm("sbatch", "--partition=urgent", "--ntasks=2", "--output=/dev/null", "--wrap=sleep 1")  # of four cores
    until(has_completed(cluster, "preempted", job))
    assert facts(job)["Restarts"] == "1"
    assert "this job is preempted" in cluster.log("preempted")
    assert "resuming at step" in cluster.log("preempted")
    assert_same_run(cluster.run_folders("preempted")[""], whole)


def test_cancelled_job_is_finished_by_same_sweep(whole: Path, cluster: Cluster) -> None:
    words = ["-m", *RUN, "seed=0,1", *LAUNCHER, "hydra.launcher.wait=true", "name=cancelled"]
    sweep = cluster.start(*words)
    assert sweep.stdout
    array = sweep.stdout.readline().split()[1].partition("_")[0]
    until(has_begun(cluster, "cancelled", "seed=0"))
    slurm("scancel", f"{array}_0")
    _, err = sweep.communicate(timeout=300)
    assert sweep.returncode == 2
    first, last = err.splitlines()
    assert first.startswith("lrx: job 0 (")
    assert "cancelled on Slurm, see " in first
    assert last == "lrx: 1 job of this sweep failed, see above"
    other = cluster.run_folders("cancelled")["seed=1"]
    kept = (other / "checkpoint.pt").stat()
    cluster.train(*words)
    assert_same_run(cluster.run_folders("cancelled")["seed=0"], whole)
    now = (other / "checkpoint.pt").stat()  # read again, but not written
    assert (now.st_ino, now.st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)


def test_what_slurm_refuses_is_one_line(cluster: Cluster) -> None:
    sweep = cluster.start("-m", *RUN, *LAUNCHER, "hydra.launcher.partition=none", "name=refused")
    out, err = sweep.communicate(timeout=60)
    assert (sweep.returncode, out) == (2, "")
    assert err.count("\n") == 1
    assert "Slurm refused the sweep" in err
    assert not (cluster.folder / "outputs/train/refused").exists()
    assert "invalid partition" in err


def test_job_out_of_time_is_requeued(slow: str, whole: Path, cluster: Cluster) -> None:
    # the signal comes some time between half of the minute and its end; a stopped process gets it when it goes on
    def restarted() -> bool:
        now = facts(slow)
        if now["JobState"] == "RUNNING" and now["RunTime"] >= "00:00:56":
            slurm("scancel", "--signal=CONT", slow)
        return now["Restarts"] != "0"

    until(restarted)
    until(has_completed(cluster, "slow", slow))
    assert "this job is timed-out" in cluster.log("slow")
    assert "resuming at step" in cluster.log("slow")
    assert_same_run(cluster.run_folders("slow")[""], whole)
