"""Words of the command line that lrx rewrites for Hydra, and the folders of a sweep's jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrx.cli import overrides
from lrx.runs import status, sweep_folder
from tests.conftest import TINY, Lrx

pytestmark = pytest.mark.usefixtures("without_pictures")


def test_expand_glob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b", "a", "empty"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if name != "empty":
            (tmp_path / "runs" / name / "checkpoint.pt").touch()
    (tmp_path / "runs" / "single.pt").touch()
    assert overrides.expand_glob("ckpt=glob(runs/*)", is_sweep=True) == "ckpt='runs/a','runs/b','runs/single.pt'"
    assert overrides.expand_glob("name=glob(runs/*)", is_sweep=False) == "name=glob(runs/*)"
    with pytest.raises(ValueError, match=r"ckpt=glob\(nothing/\*\) matches no run folder"):
        overrides.expand_glob("ckpt=glob(nothing/*)", is_sweep=True)
    with pytest.raises(ValueError, match=r"matches 3 runs, which is a sweep: lrx assay -m 'ckpt=glob\(runs/\*\)'"):
        overrides.expand_glob("ckpt=glob(runs/*)", is_sweep=False)
    assert overrides.expand_glob("ckpt=glob(runs/a*)", is_sweep=False) == "ckpt='runs/a'"


def test_runs_without_checkpoint_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("done", "failed", "queued"):
        (tmp_path / name).mkdir()
        status.write(tmp_path / name, status.Status(name))
    (tmp_path / "done/checkpoint.pt").touch()
    assert overrides.expand_glob("ckpt=glob(~/*)", is_sweep=True) == f"ckpt='{tmp_path}/done'"
    line = "lrx: warning: ckpt=glob(~/*) leaves out 2 runs without a checkpoint: failed, queued\n"
    assert capsys.readouterr().err == line


def test_expand_shards() -> None:
    assert overrides.expand_shards(["assay.shards=2", "name=x"]) == ["name=x", "-m", "shard=1of2,2of2"]
    assert overrides.expand_shards(["a=1", "assay.shards=1"]) == ["a=1"]
    assert overrides.expand_shards(["-m", "assay.shards=2"]) == ["-m", "shard=1of2,2of2"]
    for word in ("0", "two", "1,2", ""):
        with pytest.raises(ValueError, match=r"assay\.shards must be a whole number of at least 1, not"):
            overrides.expand_shards([f"assay.shards={word}"])


def test_job_folder_of_shards() -> None:
    jobs = [["ckpt=a", "seed=0", f"shard={shard}"] for shard in ("1of2", "2of2")]
    assert [overrides.job_folder(job, "", swept=["shard"]) for job in jobs] == ["1of2", "2of2"]
    run = sweep_folder.run_id(["ckpt=a", "seed=0"], "seed")
    assert run == overrides.job_folder(["ckpt=a", "seed=0"], "", swept=["seed"])
    assert [overrides.job_folder(job, "", swept=["seed", "shard"]) for job in jobs] == [f"{run}/1of2", f"{run}/2of2"]


def test_job_folder_keeps_the_name_of_a_run(tmp_path: Path) -> None:
    words = ["model=vae", "seed=0"]
    folder = tmp_path / overrides.job_folder(words, str(tmp_path), swept=["seed"])
    folder.mkdir()
    assert overrides.job_folder(words, str(tmp_path), swept=["model", "seed"]) == folder.name
    assert overrides.job_folder(words, str(tmp_path), swept=[]).startswith("vae-0-")


def test_folders_of_a_growing_sweep(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "seed=0,1", "name=s", "-m").returncode == 0
    first = {path.name.rpartition("-")[0]: path for path in (tmp_path / "outputs/train/s").iterdir() if path.is_dir()}
    assert set(first) == {"betavae-0", "betavae-1"}
    assert lrx("train", *TINY, "seed=0,1", "name=s", "latent_dim=2,3", "-m").returncode == 0
    names = {path.name.rpartition("-")[0] for path in (tmp_path / "outputs/train/s").iterdir() if path.is_dir()}
    assert names == {f"betavae-{rest}" for rest in ("0", "1", "2-0", "2-1", "3-0", "3-1")}
    assert lrx("train", *TINY, "seed=0", "name=s", "trainer.lr=0.030000000000000002,0.01", "-m").returncode == 0
    assert list((tmp_path / "outputs/train/s").glob("betavae-0-0.03-*"))


@pytest.mark.parametrize("name", ["2026_11_29", "1e5", "0.10", "null", "007", "True", "-inf"])
def test_names_stay_as_typed(lrx: Lrx, tmp_path: Path, name: str) -> None:
    assert overrides.as_typed(f"name={name}") == f"name='{name}'"
    assert overrides.as_typed(f"dataset.path={name}") == f"dataset.path='{name}'" or name == "null"
    assert overrides.as_typed(f"seed={name}") == f"seed={name}"
    if name in ("2026_11_29", "null"):
        assert lrx("train", *TINY, f"name={name}").returncode == 0
        assert [path.name for path in (tmp_path / "outputs/train").iterdir()] == [name]
        assert lrx("train", "-m", *TINY, "seed=1,2", f"name={name}s").returncode == 0
        assert lrx("assay", f"ckpt=outputs/train/{name}", "assay.num_samples=16", f"name={name}").returncode == 0
        assert (tmp_path / f"outputs/assay/{name}/result.h5").is_file()


def test_names_of_runs_have_the_model(lrx: Lrx, tmp_path: Path) -> None:
    sweep = tmp_path / "outputs/train/s"
    assert lrx("train", *TINY, "trainer.steps=2", "model=btcvae", "seed=0,1", "name=s", "-m").returncode == 0
    before = {path.name for path in sweep.glob("*/")}
    assert {name.rpartition("-")[0] for name in before} == {"btcvae-0", "btcvae-1"}
    assert lrx("train", *TINY, "trainer.steps=2", "model=betavae,btcvae", "seed=0", "name=s", "-m").returncode == 0
    (grown,) = {path.name for path in sweep.glob("*/")} - before
    assert grown.startswith("betavae-0-")
    assert lrx("train", *TINY, "trainer.steps=4", "model=btcvae", "seed=0", "name=s", "-m").returncode == 0
    (steps,) = {path.name for path in sweep.glob("*/")} - before - {grown}
    assert steps.startswith("btcvae-0-4-")  # the steps, too, which tell it from the first


def test_names_of_assays_have_the_run(lrx: Lrx, place: Path) -> None:
    words = ["assay", "-m", "ckpt=outputs/train/run/checkpoint.pt", "assay.num_samples=4,8", "name=s"]
    assert lrx(*words).returncode == 0
    assert {path.name.rpartition("-")[0] for path in (place / "outputs/assay/s").glob("*/")} == {"run-4", "run-8"}


def test_name_of_an_earlier_version_is_kept(lrx: Lrx, tmp_path: Path) -> None:
    words = ["train", *TINY, "trainer.steps=2", "seed=0,1", "name=s", "-m"]
    assert lrx(*words).returncode == 0
    for run in (tmp_path / "outputs/train/s").glob("*/"):
        run.rename(run.with_name(run.name.replace("betavae-", "")))
    assert lrx(*words).stderr.count("is finished") == 2
    assert {path.name[:2] for path in (tmp_path / "outputs/train/s").glob("*/")} == {"0-", "1-"}


def test_renamed_run_is_not_trained_again(lrx: Lrx, tmp_path: Path) -> None:
    then = "then=[response_matrix,'assay.num_samples=16']"
    words = ["train", *TINY, "trainer.steps=2", "seed=0,1", "name=s", then, "-m"]
    assert lrx(*words).returncode == 0
    first, second = sorted((tmp_path / "outputs/train/s").glob("betavae-*/"))
    first.rename(first.with_name("the best"))
    second.rename(second.with_name("best-20261130"))  # which ends as the names of runs do
    again = lrx(*words)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("is finished") == 4
    assert {path.name for path in first.parent.glob("*/")} == {"the best", "best-20261130"}


def test_renamed_sweep_keeps_its_assays(lrx: Lrx, tmp_path: Path) -> None:
    then = "then=[response_matrix,'assay.num_samples=16']"
    words = ["train", *TINY, "trainer.steps=2", "seed=0,1", then, "-m"]
    assert lrx(*words, "name=old").returncode == 0
    measure = ["assay", "-m", "assay.num_samples=8", "name=later"]
    assert lrx(*measure, "ckpt=glob(outputs/train/old/*)").returncode == 0
    (tmp_path / "outputs/train/old").rename(tmp_path / "outputs/train/new")
    again = lrx(*words, "name=new")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("is finished") == 4
    measured = {path.name for path in (tmp_path / "outputs/assay/later").glob("*/")}
    assert lrx(*measure, "ckpt=glob(outputs/train/new/*)").stderr.count("is finished") == 2
    assert {path.name for path in (tmp_path / "outputs/assay/later").glob("*/")} == measured
    assert lrx("train", *TINY, "trainer.steps=4", "seed=0", "name=other").returncode == 0
    other = lrx("assay", "ckpt=outputs/train/other", "assay.num_samples=8", f"name=later/{min(measured)}")
    assert other.returncode == 2  # of other weights
    assert "was made by another config: ckpt (was outputs/train/old/" in other.stderr
