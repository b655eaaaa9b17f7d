"""Launchers of one's own: a python file and a yaml; a target that is none is one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

from lrx.cli.hooks import hydra_hooks
from tests.conftest import TINY, Lrx
from tests.support.command_line import assert_refused

SERIAL = """
from hydra.core.utils import run_job
from hydra.plugins.launcher import Launcher
from omegaconf import open_dict

class SerialLauncher(Launcher):
    def __init__(self, *, reverse: bool) -> None:
        self.reverse = reverse

    def setup(self, *, hydra_context, task_function, config) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides, initial_job_idx):
        jobs = list(enumerate(job_overrides, initial_job_idx))
        return [self.run(*job) for job in (jobs[::-1] if self.reverse else jobs)]

    def run(self, number, overrides):
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.num, config.hydra.job.id = number, str(number)
        return run_job(
            hydra_context=self.context,
            task_function=self.task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
"""


@pytest.fixture
def serial(lrx: Lrx, tmp_path: Path) -> list[str]:
    """The words of a sweep by a launcher in the current folder."""
    module = f"serial_{tmp_path.name.replace('-', '_')}"  # a name of its own, as modules stay imported
    (tmp_path / f"{module}.py").write_text(SERIAL)
    file = tmp_path / "mine/hydra/launcher/serial.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"_target_: {module}.SerialLauncher\nreverse: false\n")
    return ["train", "-m", *TINY, "seed=0,1", "--config-dir=mine", "hydra/launcher=serial", "name=s"]


def test_own_launcher(serial: list[str], lrx: Lrx, tmp_path: Path) -> None:
    done = lrx(*serial, "hydra.launcher.reverse=true")
    assert done.returncode == 0, done.stderr
    assert [line.split("-")[:2] for line in done.stdout.splitlines()] == [["betavae", "1"], ["betavae", "0"]]
    assert len(list((tmp_path / "outputs/train/s").glob("*/checkpoint.pt"))) == 2


def test_own_launcher_with_a_failed_job(serial: list[str], lrx: Lrx, tmp_path: Path) -> None:
    done = lrx(*[word.replace("seed=0,1", "seed=-1,1") for word in serial])
    assert done.returncode == 2
    assert "seed must be a whole number" in done.stderr
    assert done.stderr.splitlines()[-1] == "lrx: 1 job of this sweep failed, see above"
    assert len(list((tmp_path / "outputs/train/s").glob("*/checkpoint.pt"))) == 1


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("hydra.launcher._target_=nowhere.Serial", ["hydra.launcher._target_=nowhere.Serial", "no module nowhere"]),
        ("hydra.launcher._target_=lrx.cli.slurm_launcher.Slurm", ["has no Slurm", "FrozenSlurmLauncher"]),
        ("hydra.launcher._target_=hydra_plugins.lrx.Serial", ["there is no module hydra_plugins.lrx"]),
        ("hydra.launcher._target_=os.getcwd", ["is no launcher", "hydra.plugins.launcher.Launcher"]),
        ("hydra.launcher._target_=null", ["hydra.launcher._target_=None", "give package.Class"]),
        ("hydra.sweeper._target_=os.getcwd", ["is no sweeper", "hydra.plugins.sweeper.Sweeper"]),
        ("+hydra.launcher.depth=1", ["hydra.launcher: ", "unexpected keyword argument 'depth'"]),
        ("hydra/launcher=seriall", ["no hydra/launcher=seriall", "basic, joblib, lrx_slurm, serial"]),
    ],
)
def test_wrong_launcher_is_one_line(setting: str, expected: list[str], serial: list[str], lrx: Lrx) -> None:
    assert_refused(lrx(*serial, setting), *expected)


def test_joblib_shares_what_slurm_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives each worker its part of LOKY_MAX_CPU_COUNT threads, or else of all cores that it sees."""
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "4")
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    node = OmegaConf.create({"_target_": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"})
    with hydra_hooks([], []):
        Plugins.instance()._instantiate(node)
        assert os.environ["LOKY_MAX_CPU_COUNT"] == "4"
    assert "LOKY_MAX_CPU_COUNT" not in os.environ
