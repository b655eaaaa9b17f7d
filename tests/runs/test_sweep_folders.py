"""Sweeps on one machine: a folder for each job; done ones are left alone, failed ones say why; what comes then."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
import torch

from lrx.runs import status, sweep_folder
from lrx.storage import results
from tests.conftest import TINY, Lrx
from tests.support.command_line import assert_refused

pytestmark = pytest.mark.usefixtures("without_pictures")


def folders(sweep: Path) -> dict[str, Path]:
    """The run folders of a sweep by the word in which their overrides differ."""
    return {
        next(word for word in status.read(path).overrides if word.startswith("seed=")): path
        for path in sweep.iterdir()
        if path.is_dir()
    }


def test_a_folder_is_named_after_what_is_computed() -> None:
    words = ["name=s", "model=vae", "seed=0", "dataset.root=/data", "network.hidden=[8,8]"]
    name = sweep_folder.run_id(words)
    assert name.startswith("vae-8_8-0-")
    assert name == sweep_folder.run_id(words[::-1])
    assert name == sweep_folder.run_id(["name=other", *words[1:3], "dataset.root=/elsewhere", words[4]])
    assert name != sweep_folder.run_id([*words[:2], "latent_dim=0", *words[3:]])  # the same values under other keys
    assert "=" not in name
    assert len(sweep_folder.run_id(["ckpt=" + "x" * 300])) < 80
    for path in (".", "..", "outputs/.kept"):  # no name of a hidden folder, which is never listed
        assert not sweep_folder.run_id([f"ckpt={path}", "seed=0"]).startswith(".")


def test_grown_sweep_keeps_finished_jobs(lrx: Lrx, tmp_path: Path) -> None:
    words = ["train", *TINY, "name=grow", "-m"]
    assert lrx(*words, "seed=0,1").returncode == 0
    before = {seed: (path / "checkpoint.pt").stat() for seed, path in folders(tmp_path / "outputs/train/grow").items()}
    assert set(before) == {"seed=0", "seed=1"}
    again = lrx(*words, "seed=2,0,1")
    assert again.returncode == 0
    assert again.stderr.count("is finished") == 2
    found = folders(tmp_path / "outputs/train/grow")
    assert set(found) == {"seed=0", "seed=1", "seed=2"}
    for seed, stat in before.items():
        now = (found[seed] / "checkpoint.pt").stat()
        assert (now.st_ino, now.st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)


def test_diverged_run_stops_and_others_continue(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("train", *TINY, "trainer.lr=1e30,0.01", "seed=0", "name=rates", "-m")
    assert done.returncode == 2
    assert "lower trainer.lr=1e+30" in done.stderr
    states = {status.read(path).state: status.read(path) for path in (tmp_path / "outputs/train/rates").glob("*/")}
    assert set(states) == {"failed", "done"}
    assert states["failed"].error.startswith("the loss is ")
    assert "at step 5" in states["failed"].error
    assert states["done"].step == 20


def test_an_assay_follows_training_in_the_same_job(lrx: Lrx, tmp_path: Path) -> None:
    few = "[paper,'assay.only=[response_matrix]','assay.assays.response_matrix.num_samples=16']"
    done = lrx("train", *TINY, "seed=0,1", f"then={few}", "name=both", "-m")
    assert done.returncode == 0, done.stderr
    for path in folders(tmp_path / "outputs/train/both").values():
        assert list(results.read(path / "paper" / "result.h5").assays) == ["response_matrix"]
        assert status.read(path / "paper").state == "done"
    again = lrx("train", *TINY, "seed=0,1", f"then={few}", "name=both", "-m")
    assert again.stderr.count("is finished") == 4
    refused = lrx("train", *TINY, "then=nonsense", "name=other")
    assert refused.returncode == 2
    assert "assay=nonsense" in refused.stderr


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("assay.num_samples=-1", "assay.num_samples must be a whole number of at least"),
        ("split=half", "split must be one of all, train, validation, test, not 'half'"),
        ("name=mine", "name=mine has no effect there, leave it out"),
        ("shard=1of2", "shard=1of2 has no effect there"),
    ],
)
def test_wrong_assay_costs_no_training(word: str, line: str, lrx: Lrx, tmp_path: Path) -> None:
    refused = lrx("train", *TINY, f"then=[response_matrix,'{word}']", "name=t")
    assert_refused(refused, line)
    assert not (tmp_path / "outputs/train/t").exists()


def test_a_whole_sweep_is_assayed_by_a_pattern(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=many", "seed=0,1", "-m").returncode == 0
    words = ["assay", "-m", "ckpt=glob(outputs/train/many/*)", "assay.num_samples=16", "name=many"]
    done = lrx(*words)
    assert done.returncode == 0, done.stderr
    found = sorted((tmp_path / "outputs/assay/many").glob("*/result.h5"))
    assert len(found) == 2
    hashes = {results.read(path).provenance["checkpoint_sha256"] for path in found}
    assert len(hashes) == 2
    assert lrx(*words).stderr.count("is finished") == 2
    refused = lrx("assay", "-m", "ckpt=glob(outputs/none/*)")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1


def test_assay_is_repeated_for_new_weights(lrx: Lrx, tmp_path: Path) -> None:
    words = ["assay", "ckpt=outputs/train/run", "assay.num_samples=16", "name=one"]
    assert lrx("train", *TINY, "name=run").returncode == 0
    assert lrx(*words).returncode == 0
    before = results.read(tmp_path / "outputs/assay/one/result.h5").provenance["checkpoint_sha256"]
    (tmp_path / "outputs/train/run/checkpoint.pt").unlink()
    assert lrx("train", *TINY, "seed=5", "name=longer").returncode == 0
    (tmp_path / "outputs/train/longer/checkpoint.pt").rename(tmp_path / "outputs/train/run/checkpoint.pt")
    (tmp_path / "outputs/assay/one/result.h5").unlink()
    done = lrx(*words)
    assert done.returncode == 0
    assert "is finished" not in done.stderr
    assert results.read(tmp_path / "outputs/assay/one/result.h5").provenance["checkpoint_sha256"] != before


def test_assay_of_unfinished_training_says_so(lrx: Lrx, place: Path) -> None:
    path = place / "outputs/train/run/checkpoint.pt"
    words = ["assay", "ckpt=outputs/train/run", "assay.num_samples=16"]
    assert "warning" not in lrx(*words, "name=whole").stderr
    torch.save(torch.load(path) | {"step": 10}, path)
    done = lrx(*words, "name=half")
    assert done.returncode == 0
    line = "lrx: warning: outputs/train/run/checkpoint.pt is of step 10 of 20: its training has not ended\n"
    assert line in done.stderr


def test_finished_needs_last_checkpoint_and_result(lrx: Lrx, place: Path) -> None:
    training = ["train", *TINY, "name=run"]
    assay = ["assay", "ckpt=outputs/train/run", "assay.num_samples=16", "name=run"]
    weights, result = place / "outputs/train/run/checkpoint.pt", place / "outputs/assay/run/result.h5"
    config = weights.parent / "config.yaml"
    config.write_text("".join(line for line in config.read_text().splitlines(True) if line != "trust: []\n"))
    for words in (training, assay):
        assert "is finished" in lrx(*words).stderr

    before = torch.load(weights)
    weights.unlink()
    assert "is finished" not in lrx(*training).stderr
    after = torch.load(weights)
    assert all(torch.equal(after["model"][key], value) for key, value in before["model"].items())
    torch.save(after | {"step": 10}, weights)  # one of before the end
    assert "is finished" not in lrx(*training).stderr
    assert torch.load(weights)["step"] == 20

    for words in (assay, assay):  # of the new checkpoint
        assert lrx(*words).returncode == 0
    result.unlink()
    assert "is finished" not in lrx(*assay).stderr
    assert result.exists()


def test_assay_of_other_data_is_refused(lrx: Lrx, place: Path) -> None:
    words = ["assay", "ckpt=outputs/train/run", "assay.num_samples=16", "name=run"]
    assert "is finished" in lrx(*words).stderr
    file = place / "outputs/assay/run/result.h5"
    with h5py.File(file, "r+") as stored:  # as if the data set had been another one then
        stored.attrs["dataset_fingerprint"] = "other"
    refused = lrx(*words)
    assert refused.returncode == 2
    assert "was measured with other labels or factors of the same images (fingerprint other" in refused.stderr
    with h5py.File(file, "r+") as stored:
        stored.attrs["observations_fingerprint"] = "other"
    refused = lrx(*words)
    assert refused.returncode == 2
    assert "outputs/assay/run was measured on other data (fingerprint other, and here " in refused.stderr
    assert "give the same data, or another name=" in refused.stderr
    with h5py.File(file, "r+") as stored:
        stored.attrs["checkpoint_sha256"] = "other"
    again = lrx(*words)
    assert again.returncode == 0
    assert "is finished" not in again.stderr
    assert results.read(file).provenance["dataset_fingerprint"] != "other"
