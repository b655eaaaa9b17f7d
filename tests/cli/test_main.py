"""Command line as typed: train, assay, sweep, and open the result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import xarray

from lrx.runs import status
from tests.conftest import TINY, Lrx
from tests.support.command_line import assert_refused, weights_of


def test_train_assay_open_result(lrx: Lrx, lrx_process: Lrx, tmp_path: Path) -> None:
    trained = lrx_process(
        *("train", "dataset=dsprites", "model=betavae", "name=sprites"),
        *("trainer.steps=3", "trainer.batch_size=16", "trainer.log_every=1"),
    )
    assert trained.returncode == 0, trained.stderr
    assert "rendered" in trained.stderr
    run = tmp_path / "outputs/train/sprites"
    visible = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    assert visible == {"checkpoint.pt", "config.yaml", "metrics.csv", "metrics.jsonl", "status.json"}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert all(np.isfinite(row["loss"]) for row in rows)

    assayed = lrx_process("assay", f"ckpt={run}", "assay=response_matrix", "assay.num_samples=32", "name=sprites")
    assert assayed.returncode == 0, assayed.stderr
    assert "response matrix" in assayed.stdout
    folder = tmp_path / "outputs/assay/sprites"
    assert (folder / "response_matrix.png").stat().st_size > 1000
    with xarray.open_dataset(folder / "result.h5", engine="h5netcdf", group="response_matrix") as opened:
        value = opened.matrix.sel(intervened=3, responding=7)
        assert opened.matrix.dims == ("intervened", "responding")
        assert value.shape == ()
        assert np.isfinite(value)
        assert opened.matrix_se.sel(intervened=3, responding=7) >= 0
    with xarray.open_dataset(folder / "result.h5", engine="h5netcdf") as root:
        assert root.attrs["dataset"] == "dsprites"
        assert root.attrs["dataset_source"] == "rendered"
        assert root.attrs["checkpoint_sha256"]
        assert "response_matrix" in root.attrs["config"]

    again = lrx("assay", f"ckpt={run}", "assay=response_matrix", "assay.num_samples=32", "name=sprites")
    assert again.returncode == 0
    assert "finished" in again.stderr


def test_checkpoint_file_and_run_dir(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "hydra.run.dir=elsewhere/run").returncode == 0
    done = lrx("assay", "ckpt=elsewhere/run/checkpoint.pt", "assay.num_samples=16", "hydra.run.dir=elsewhere/assay")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "elsewhere/assay/result.h5").is_file()
    assert not (tmp_path / "outputs").exists()


def test_several_assays_in_one_file(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=helix").returncode == 0
    words = ["assay", "ckpt=outputs/train/helix", "assay=paper", "name=all"]
    refused = lrx(*words, "assay.only=[conditioned_response]")
    assert_refused(refused, "assay.only=conditioned_response", "double helix has none")
    done = lrx(*words, "assay.only=[response_matrix,traversal]", "assay.assays.response_matrix.num_samples=32")
    assert done.returncode == 0, done.stderr
    assert "response matrix" in done.stdout
    assert "traversal" in done.stdout
    folder = tmp_path / "outputs/assay/all"
    assert {path.stem for path in folder.glob("*.png")} == {"response_matrix", "traversal"}
    for group in ("response_matrix", "traversal"):
        with xarray.open_dataset(folder / "result.h5", engine="h5netcdf", group=group) as opened:
            assert len(opened.data_vars) > 0


def test_default_name_is_the_date(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY).returncode == 0
    (folder,) = (tmp_path / "outputs/train").iterdir()
    assert folder.name[:4].isdigit()


def test_sweep_with_a_failed_job(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("train", *TINY, "seed=0,1,-1", "name=sweep", "-m")
    assert done.returncode == 2
    assert "seed=-1" in done.stderr
    assert "job 2" in done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stdout.splitlines()  # one for each job that was done
    assert len(lines) == 2
    assert all("train: loss " in line for line in lines)
    assert [path.name for path in sorted((tmp_path / "outputs/train/sweep").glob("*/checkpoint.pt"))] == [
        "checkpoint.pt"
    ] * 2
    folders = {
        status.read(path).overrides[-2]: path for path in (tmp_path / "outputs/train/sweep").iterdir() if path.is_dir()
    }
    first, second = weights_of(folders["seed=0"]), weights_of(folders["seed=1"])
    assert not torch.equal(first["encoder.1.weight"], second["encoder.1.weight"])
