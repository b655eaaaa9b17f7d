"""Finished jobs of a large sweep: left out before their configs are composed; the others start as ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrx.cli import sweep_launcher
from lrx.cli.sweep_configs import JobConfigLoader
from lrx.runs import status
from tests.conftest import TINY, Lrx
from tests.runs.test_sweep_folders import folders

pytestmark = pytest.mark.usefixtures("without_pictures")
THEN = "then=[paper,'assay.only=[response_matrix]','assay.assays.response_matrix.num_samples=16']"


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words of each job whose config is composed; sweeps of more than three jobs are looked through."""
    words: list[list[str]] = []
    real = JobConfigLoader.load_sweep_config
    monkeypatch.setattr(JobConfigLoader, "load_sweep_config", lambda *a: (words.append(a[2]), real(*a))[1])
    monkeypatch.setattr(sweep_launcher, "FEW", 3)
    return words


def test_finished_jobs_are_not_composed(lrx: Lrx, tmp_path: Path, composed: list[list[str]]) -> None:
    words = ["train", *TINY, "trainer.steps=2", "model.beta=1,4", "seed=range(4)", "name=many", THEN, "-m"]
    assert lrx(*words).returncode == 0
    composed.clear()
    again = lrx(*words)
    assert again.returncode == 0
    assert "8 jobs of 8 in outputs/train/many finished before" in again.stderr
    assert again.stdout == ""
    assert len(composed) == 3  # to check the words, for the data, and for the assay
    grown = lrx(*[word.replace("range(4)", "range(5)") for word in words])
    assert "8 jobs of 10" in grown.stderr
    assert len(list((tmp_path / "outputs/train/many").glob("*/paper/result.h5"))) == 10


def test_what_is_not_finished_starts(lrx: Lrx, tmp_path: Path, composed: list[list[str]]) -> None:
    words = ["train", *TINY, "trainer.steps=2", "seed=range(5)", "name=some", THEN, "-m"]
    assert lrx(*words).returncode == 0
    found = folders(tmp_path / "outputs/train/some")
    (found["seed=0"] / "checkpoint.pt").unlink()
    (found["seed=1"] / "paper/result.h5").unlink()
    config = found["seed=2"] / "config.yaml"
    config.write_text(config.read_text().replace("steps: 2", "steps: 3"))
    again = lrx(*words)
    assert "2 jobs of 5 in outputs/train/some finished before" in again.stderr
    assert "was made by another config: trainer.steps (was 3, now 2)" in again.stderr
    assert again.returncode == 2
    assert all((found[f"seed={seed}"] / "paper/result.h5").exists() for seed in (0, 1))
    assert status.read(found["seed=0"]).state == "done"


def test_assays_of_finished_sweep_are_not_composed(lrx: Lrx, tmp_path: Path, composed: list[list[str]]) -> None:
    assert lrx("train", *TINY, "trainer.steps=2", "seed=range(4)", "name=many", "-m").returncode == 0
    words = ["assay", "-m", "ckpt=glob(outputs/train/many/*)", "assay.num_samples=16", "name=many"]
    assert lrx(*words).returncode == 0
    composed.clear()
    assert "4 jobs of 4 in outputs/assay/many finished before" in lrx(*words).stderr
    assert len(composed) == 2
