"""Keys of a sweep: each job judges them for itself, and the sound ones run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from lrx.runs import status
from lrx.training import checkpoint
from tests.conftest import Lrx
from tests.support.command_line import assert_refused

SMALL = ["dataset=helix", "network=mlp", "latent_dim=2", "trainer.steps=5", "trainer.batch_size=16"]


def runs(sweep: Path) -> dict[str, Path]:
    """Folders of the runs of a sweep, by their words on the model."""
    known = {path: status.read(path) for path in sweep.glob("*/")}
    return {
        " ".join(word for word in now.overrides if word.startswith("model")): path for path, now in known.items() if now
    }


def beta_of(run: Path) -> object:
    """What the checkpoint of a finished run says of the model's beta."""
    trained = checkpoint.load(run / "checkpoint.pt")
    assert trained.finished
    return yaml.safe_load(trained.config)["model"].get("beta")


def test_key_of_the_swept_choices(lrx: Lrx, tmp_path: Path) -> None:
    """Both have the key, and the default model has not."""
    done = lrx("train", "-m", *SMALL, "model=dipvae_i,dipvae_ii", "model.lambda_od=5", "name=sweep")
    assert done.returncode == 0, done.stderr
    folders = runs(tmp_path / "outputs/train/sweep")
    assert set(folders) == {f"model=dipvae_{kind} model.lambda_od=5" for kind in ("i", "ii")}
    for folder in folders.values():
        config = yaml.safe_load(checkpoint.load(folder / "checkpoint.pt").config)
        assert config["model"]["lambda_od"] == 5


@pytest.mark.parametrize("more", [["hydra.sweeper.max_batch_size=1"], ["hydra/launcher=joblib"]])
def test_jobs_without_the_key_fail_alone(more: list[str], lrx: Lrx, lrx_process: Lrx, tmp_path: Path) -> None:
    run = lrx_process if "hydra/launcher=joblib" in more else lrx
    done = run("train", "-m", *SMALL, *more, "model=vae,betavae", "model.beta=1,4", "name=sweep")
    assert done.returncode == 2
    reason = "there is no key model.beta with model=vae; model=adagvae, model=betavae, model=btcvae have it"
    lines = sorted(" ".join(line.split()) for line in done.stderr.split("lrx: ")[1:])
    assert len(lines) == 3, done.stderr
    assert lines[0] == "2 jobs of this sweep failed, see above"
    for line in lines[1:]:
        assert "model=vae" in line
        assert line.endswith(reason)
    folders = runs(tmp_path / "outputs/train/sweep")
    assert [beta_of(folders[f"model=betavae model.beta={beta}"]) for beta in (1, 4)] == [1, 4]
    refused = status.read(folders["model=vae model.beta=1"])
    assert refused
    assert (refused.state, refused.error) == ("failed", reason)


def test_unknown_choice_fails_alone(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("train", "-m", *SMALL, "model=nosuch,vae", "name=sweep")
    assert done.returncode == 2
    assert "no model=nosuch; the choices are" in " ".join(done.stderr.split())
    assert beta_of(runs(tmp_path / "outputs/train/sweep")["model=vae"]) is None


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["seed=0,1", "modle.beta=3"], "there is no key modle.beta"),
        (["model=vae,ae", "model.betta=3"], "there is no key model.betta"),
        (["model=vae,ae", "model.betta=3,4", "hydra.sweeper.max_batch_size=1"], "there is no key model.betta"),
        (["seed=0,1", "model=nosuch"], "no model=nosuch; the choices are"),
        (["model=vae,ae", "network=nosuch"], "no network=nosuch; the choices are"),
    ],
)
def test_words_wrong_in_all_jobs_are_one_line(words: list[str], line: str, lrx: Lrx, tmp_path: Path) -> None:
    assert_refused(lrx("train", "-m", *SMALL, *words, "name=sweep"), line)
    assert not (tmp_path / "outputs/train/sweep").exists()


def test_slurm_takes_the_sound_jobs_alone(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    limits = "#!/bin/sh\necho MaxArraySize = 1001\necho MaxJobCount = 10000\n"
    for name in ("sbatch", "srun", "scontrol"):
        submit = '#!/bin/sh\ncp "$1" submitted.sh\necho Submitted batch job 7\n'
        (programs / name).write_text(limits if name == "scontrol" else submit)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    words = ["model=betavae,vae", "model.beta=1,4", "hydra/launcher=lrx_slurm", "name=sweep"]
    done = lrx("train", "-m", *SMALL, *words)
    assert done.returncode == 2
    assert "2 jobs of this sweep failed" in done.stderr
    assert "#SBATCH --array=0-1" in (tmp_path / "submitted.sh").read_text()  # betavae with either beta
    states = {words: status.read(folder) for words, folder in runs(tmp_path / "outputs/train/sweep").items()}
    assert {words: now.state for words, now in states.items() if now} == {
        **{f"model=betavae model.beta={beta}": "queued" for beta in (1, 4)},
        **{f"model=vae model.beta={beta}": "failed" for beta in (1, 4)},
    }


def test_sweep_that_a_yaml_asks_for(lrx: Lrx, tmp_path: Path) -> None:
    file = tmp_path / "mine/experiment/two.yaml"
    file.parent.mkdir(parents=True)
    sweep = 'hydra:\n  mode: MULTIRUN\n  sweeper: {params: {seed: "0,1"}}\n'
    file.write_text("# @package _global_\ntrainer: {steps: 1}\n" + sweep)
    done = lrx("train", *SMALL, "--config-dir=mine", "experiment=two", "name=s")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "outputs/train/s").glob("*/checkpoint.pt"))) == 2
