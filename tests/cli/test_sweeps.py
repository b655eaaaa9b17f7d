"""Sweeps by other launchers and sweepers than Hydra's own: side by side, on (what looks like) Slurm, and a search."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra.errors import ConfigCompositionException
from submitit.core.utils import DelayedSubmission

from lrx.cli import errors, overrides
from lrx.runs import status
from lrx.training import checkpoint, metrics_log
from tests.conftest import TINY, Lrx
from tests.support.command_line import assert_refused

SLURM = ["-m", "hydra/launcher=lrx_slurm"]
# What stands in for Slurm: it keeps what it is asked to run, and runs nothing.
SBATCH = '#!/bin/sh\ncp "$1" submitted.sh\necho Submitted batch job 7\n'
SCONTROL = "#!/bin/sh\necho MaxArraySize = 2\necho MaxJobCount = 9\n"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SBATCH, "scontrol": SCONTROL, "scancel": "#!/bin/sh\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def runs_of(sweep: Path) -> dict[str, Path]:
    """The run folders of a sweep by their seeds."""
    known = {path: status.read(path) for path in sweep.glob("*/")}
    return {word: path for path, now in known.items() if now for word in now.overrides if word.startswith("seed=")}


def test_parallel_jobs_with_a_failed_one(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("train", "-m", *TINY, "seed=-1,0", "hydra/launcher=submitit_local", "name=sweep")
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("lrx: ")]
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("lrx: job 0 (")
    assert "seed must be a whole number" in lines[0]
    assert lines[1] == "lrx: 1 job of this sweep failed, see above"
    assert "Traceback" not in done.stderr
    folder = runs_of(tmp_path / "outputs/train/sweep")["seed=0"]
    assert checkpoint.load(folder / "checkpoint.pt").finished


def test_failed_job_and_next_batch(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("train", "-m", *TINY, "seed=-1,0", "hydra.sweeper.max_batch_size=1", "name=sweep")
    assert done.returncode == 2
    assert (runs_of(tmp_path / "outputs/train/sweep")["seed=0"] / "checkpoint.pt").is_file()


def test_optuna_search(lrx_process: Lrx, tmp_path: Path) -> None:
    words = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1"]
    words += ["hydra.sweeper.storage=sqlite:///search.db", "hydra.sweeper.study_name=search"]
    # without a seed of its sampler optuna draws other values each time; all of these converge
    done = lrx_process("train", "-m", *TINY, *words, "trainer.lr=interval(0.001,0.01)", "name=search")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "search.db").is_file()
    search = tmp_path / "outputs/train/search"
    found = yaml.safe_load((search / "optimization_results.yaml").read_text())
    losses = {metrics_log.last_loss(path): path for path in search.glob("*/")}
    assert len(losses) == 2
    assert found["best_value"] == min(losses)
    best = f"trainer.lr={found['best_params']['trainer.lr']} with {min(losses):.6g}"
    assert done.stderr.splitlines()[-1] == f"best of the search: {best}; outputs/train/search/optimization_results.yaml"
    overrides = status.read(losses[min(losses)])
    assert overrides
    assert f"trainer.lr={found['best_params']['trainer.lr']}" in overrides.overrides


@pytest.mark.parametrize("rates", ["0.01,1e6", "1e6,0.01"])  # optuna shuffles the grid by its own seed
def test_optuna_search_with_a_failed_trial(lrx_process: Lrx, tmp_path: Path, rates: str) -> None:
    words = ["hydra/sweeper=optuna", "hydra/sweeper/sampler=grid", "hydra.sweeper.n_jobs=1", "name=search"]
    done = lrx_process("train", "-m", *TINY, *words, f"trainer.lr=choice({rates})")
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if "A new study" not in line]
    assert len(lines) == 3, done.stderr
    (failed,) = (line for line in lines if line.startswith("lrx: job "))
    assert "the loss is" in failed
    assert lines[1].startswith("best of the search: trainer.lr=0.01 with ")
    assert lines[2] == "lrx: 1 job of this sweep failed, see above"
    assert (tmp_path / "outputs/train/search/optimization_results.yaml").is_file()


def test_optuna_search_of_failed_trials(lrx_process: Lrx) -> None:
    words = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=2", "name=search"]
    done = lrx_process("train", "-m", *TINY, *words, "trainer.lr=interval(1e5,1e6)")
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if "A new study" not in line]
    assert len(lines) == 3, done.stderr
    assert lines[2] == "lrx: no trial of this search ended well, see above; it has no best values"


# -------------------------------------------------------------------------------------------------------- Slurm


@pytest.mark.usefixtures("cluster")
def test_slurm_job_runs_the_submitted_config(lrx: Lrx, tmp_path: Path, environment: dict[str, str]) -> None:
    file = tmp_path / "mine/experiment/frozen.yaml"
    file.parent.mkdir(parents=True)
    text = "# @package _global_\ndefaults: [helix]\ntrainer: {steps: 20, batch_size: 32, lr: 0.005}\n"
    file.write_text(text)
    settings = ["hydra.launcher.partition=gpu", "hydra.launcher.mem_gb=0.5", "hydra.launcher.cpus_per_task=2"]
    settings += ["+hydra.launcher.additional_parameters.constraint=a100", "hydra.launcher.setup=['module load cuda']"]
    done = lrx("train", *SLURM, "--config-dir=mine", "experiment=frozen", *settings)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.removeprefix("submitted 7: ").strip())
    script = (tmp_path / "submitted.sh").read_text().splitlines()
    for option in ("partition=gpu", "mem=512MB", "cpus-per-task=2", "constraint=a100", "requeue", "signal=USR2@120"):
        assert f"#SBATCH --{option}" in script
    assert f"#SBATCH --job-name=lrx-{folder.name}" in script
    setup = script.index("# setup")
    assert script[setup + 1 : setup + 3] == [
        "export SRUN_CPUS_PER_TASK=2 OMP_NUM_THREADS=2",
        "module load cuda",
    ]
    (run,) = (path for path in folder.glob("*/") if path.name != ".submitit")
    queued = status.read(run)
    assert queued
    assert (queued.state, queued.job, queued.command) == ("queued", "7", "train")

    file.write_text(text.replace("0.005", "0.5"))
    on_node = {"SLURM_JOB_ID": "7", "SUBMITIT_EXECUTOR": "slurm"}
    worked = subprocess.run(
        [sys.executable, "-m", "submitit.core._submit", str(folder / ".submitit/%j")],
        cwd=tmp_path,
        env=environment | on_node,
        capture_output=True,
        text=True,
        check=False,
    )
    assert worked.returncode == 0, worked.stderr
    assert "lr: 0.005\n" in (run / "config.yaml").read_text()
    assert checkpoint.load(run / "checkpoint.pt").finished

    assert lrx("train", *SLURM, "--config-dir=mine", "experiment=frozen", f"name={folder.name}").returncode == 0
    after = status.read(run)
    assert after
    assert after.state == "done"  # submitted again, a run that is done is left alone


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("timeout_min=0", ["timeout_min", "at least 1", "0"]),
        ("cpus_per_task=many", ["cpus_per_task", "many"]),
        ("setup=text", ["setup", "list", "text"]),
        ("setup=null", ["hydra.launcher.setup must list"]),
        ("partitoin=gpu", ["partitoin"]),
        ("wait=no", ["hydra.launcher.wait must be true or false, not 'no'"]),
        ("mem_gb=8GB", ["hydra.launcher.mem_gb", "a number", "8GB"]),
        ("additional_parameters=null", ["hydra.launcher.additional_parameters", "options of sbatch"]),
    ],
)
def test_slurm_settings_out_of_range(setting: str, words: list[str], lrx: Lrx) -> None:
    done = lrx("train", *SLURM, *TINY, f"hydra.launcher.{setting}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


@pytest.mark.usefixtures("cluster")
def test_sbatch_error(lrx: Lrx, tmp_path: Path) -> None:
    (tmp_path / "bin/sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid account' >&2\nexit 1\n")
    done = lrx("train", *SLURM, *TINY, "name=refused")
    assert done.returncode == 2
    assert done.stderr == "lrx: Slurm refused the sweep: sbatch: error: invalid account\n"
    assert not (tmp_path / "outputs/train/refused").exists()


@pytest.mark.usefixtures("cluster")
def test_sweep_of_several_arrays_all_or_none(lrx: Lrx, tmp_path: Path) -> None:
    """Each array waits for that before, as one job may run; the third is refused until there is room."""
    room = (
        'set -- "$1" $(ls sent 2>/dev/null | wc -l)\n[ $2 -lt 2 ] || [ -e room ] || { echo full >&2; exit 1; }\n'
        'mkdir -p sent; cp "$1" sent/$2; echo Submitted batch job 1$2\n'
    )
    (tmp_path / "bin/sbatch").write_text(f"#!/bin/sh\n{room}")
    (tmp_path / "bin/scancel").write_text('#!/bin/sh\necho "$@" > cancelled\n')
    words = ["train", *SLURM, *TINY, "seed=0,1,2,3,4", "hydra.launcher.max_parallel=1", "name=several"]
    done = lrx(*words)
    assert (done.returncode, done.stderr) == (2, "lrx: Slurm refused the sweep, in jobs 3 to 4: full\n")
    assert (tmp_path / "cancelled").read_text() == "10 11\n"
    assert not (tmp_path / "outputs/train/several").exists()

    (tmp_path / "room").touch()
    shutil.rmtree(tmp_path / "sent")
    done = lrx(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "submitted 10 11_[0-1] 12_[0-1]: outputs/train/several\n"
    scripts = [(tmp_path / f"sent/{number}").read_text().splitlines() for number in range(3)]
    arrays = [[line for line in lines if "--array" in line or "--dependency" in line] for lines in scripts]
    assert arrays == [
        [],
        ["#SBATCH --array=0-1%1", "#SBATCH --dependency=afterany:10"],
        ["#SBATCH --array=0-1%1", "#SBATCH --dependency=afterany:11"],
    ]
    folders = runs_of(tmp_path / "outputs/train/several")
    jobs = [status.read(folders[f"seed={seed}"]) for seed in range(5)]
    assert [job.job for job in jobs if job] == ["10", "11_0", "11_1", "12_0", "12_1"]
    assert len(list((tmp_path / "outputs/train/several/.submitit").glob("*/*.pkl"))) == 5


@pytest.mark.usefixtures("cluster")
def test_job_works_where_it_is_queued(lrx: Lrx, tmp_path: Path) -> None:
    """A job of a variant may begin before it is marked as queued, and when others have begun."""
    (tmp_path / "v.yaml").write_text("variants: {low: [model.beta=1], high: [model.beta=4, latent_dim=3]}")
    assert lrx("train", *SLURM, *TINY, "variants=v.yaml", "name=s").returncode == 0
    sweep = tmp_path / "outputs/train/s"
    queued = {path.parent.name for path in sweep.glob("*/status.json")}
    assert len(queued) == 2
    shutil.rmtree(sweep / max(queued))
    overrides._sweep_folder.cache_clear()  # as on another machine
    jobs = [DelayedSubmission.load(path).function for path in sweep.glob(".submitit/*/*submitted.pkl")]
    assert {job.folder.name for job in jobs} == queued


def test_refused_job_has_its_id(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By which the launcher knows that it need not be marked as queued; and the reason is that of the last start."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for words, reason in (("then=nonsense", "assay=nonsense"), ("then=other", "assay=other")):
        assert lrx("train", "-m", *TINY, "seed=0", "name=s", words).returncode == 2
        (run,) = (tmp_path / "outputs/train/s").glob("*/")
        refused = status.read(run)
        assert refused
        assert (refused.state, refused.job) == ("failed", "7")
        assert reason in refused.error


@pytest.mark.usefixtures("cluster")
def test_sweep_that_slurm_cannot_hold(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("train", *SLURM, *TINY, "seed=range(10)")
    assert_refused(done, "a sweep of 10 jobs is more than this Slurm holds (MaxJobCount=9)")
    assert not list((tmp_path / "outputs/train").iterdir())


def test_missing_slurm_and_submitit(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = lrx("train", *SLURM, *TINY)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "needs Slurm" in done.stderr
    monkeypatch.setitem(sys.modules, "submitit", None)  # as if it were not installed
    done = lrx("train", *SLURM, *TINY)
    assert done.returncode == 2
    assert (
        done.stderr
        == "lrx: hydra/launcher=lrx_slurm needs submitit: pip install -e '.[sweep]' in the checkout of lrx\n"
    )


@pytest.mark.parametrize(("choice", "extra"), [("launcher/joblib", "sweep"), ("sweeper/optuna", "optuna")])
def test_missing_extra_is_named(choice: str, extra: str) -> None:
    group = choice.partition("/")[0]
    text = f"Could not find 'hydra/{choice}'\n\nAvailable options in 'hydra/{group}':\n\tbasic\nConfig search path:"
    line = errors.message(ConfigCompositionException(text))
    assert line.endswith(f"the choices are basic; it comes with pip install -e '.[{extra}]' in the checkout of lrx")
