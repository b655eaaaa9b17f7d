"""`lrx collect`: every run of a tree in one file and one table, whatever else lies in the tree."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lrx.core.types import Array, AssayResult
from lrx.runs import status
from lrx.runs.collect import collect as collect_runs
from lrx.runs.table import Row
from lrx.storage import results
from tests.conftest import TINY, Lrx

pytestmark = pytest.mark.usefixtures("without_pictures")

FILES = ("collected.h5", "collected.csv", "collected-seeds.csv")
LABELS = {"intervened": np.arange(2), "responding": np.arange(2)}


def collect(top: Path, out: Path) -> list[Row]:
    """The rows of a tree."""
    return collect_runs(top, out)[0]


def result(score: float, *, latents: int = 2) -> dict[str, AssayResult]:
    """An assay with a score, its standard error, and a matrix."""
    matrix = np.full((latents, latents), score)
    labels = {axis: np.arange(latents) for axis in LABELS}
    arrays = {"matrix": Array(matrix, ("intervened", "responding"), "latent", "the matrix")}
    return {"response_matrix": AssayResult(arrays, labels, {"gap": score, "gap_se": score / 10})}


def write_run(
    folder: Path,
    *,
    seed: int = 0,
    beta: float = 1.0,
    state: str = "done",
    error: str = "",
    assays: dict[str, AssayResult] | None = None,
) -> Path:
    """The folder of a training run, with `assays` in paper/result.h5."""
    folder.mkdir(parents=True)
    words = (f"seed={seed}", f"model.beta={beta}", "name=sweep")
    status.write(folder, status.Status(state, "train", words, step=5, steps=10, error=error))
    config = f"name: sweep\nlatent_dim: 2\nseed: {seed}\nmodel:\n  beta: {beta}\n  kl: exact\n"
    (folder / "config.yaml").write_text(config)
    (folder / "metrics.jsonl").write_text(f'{{"step": 5, "loss": 9.0}}\n{{"step": 10, "loss": {beta}}}\n{{"step": 1')
    if assays is not None:
        inner = folder / "paper"
        inner.mkdir()
        status.write(inner, status.Status("done", "assay", ("assay=paper", "seed=3")))
        (inner / "config.yaml").write_text("seed: 3\nassay:\n  num_samples: 16\n")
        provenance = {"checkpoint_config": config, "torch": "2.0", "trained_steps": 10, "dataset_fingerprint": "f"}
        results.write(inner / "result.h5", assays, provenance)
    return folder


def table(path: Path) -> dict[str, dict[str, str]]:
    """The rows of a .csv file by run."""
    with path.open(newline="") as file:
        return {row["run"]: row for row in csv.DictReader(file)}


def opened(path: Path, group: str | None = None) -> xr.Dataset:
    with xr.open_dataset(path, engine="h5netcdf", group=group) as data:
        return data.load()


def test_collect_of_a_sweep(lrx: Lrx, tmp_path: Path) -> None:
    few = "[paper,'assay.only=[response_matrix,codes]','assay.assays.response_matrix.num_samples=16']"
    done = lrx("train", *TINY, "seed=0,1", f"then={few}", "name=s", "-m")
    assert done.returncode == 0, done.stderr
    done = lrx("collect", "outputs/train/s")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.rstrip() for line in lines[:2]] == ["outputs/train/s: 2 done", "all runs: 2 seeds"]
    assert re.match(r"latents as in [\w-]+, by codes of 1,000 images, agreement 0\.", lines[2])
    assert lines[3].split() == ["mean", "within", "model", "between", "seeds"]
    assert done.stderr.split() == [f"outputs/train/s/{name}" for name in FILES]

    file = tmp_path / "outputs/train/s/collected.h5"
    root, measured, trained = opened(file), opened(file, "response_matrix"), opened(file, "train")
    assert root.seed.values.tolist() == [0, 1]
    assert set(root.state.values) == {"done"}
    assert json.loads(root.in_common.item())["trainer.steps"] == 20
    for run in root.run.values:
        inner = results.read(tmp_path / "outputs/train/s" / run / "paper" / "result.h5").assays["response_matrix"]
        assert measured.num_informative.sel(run=run) == inner.scores["num_informative"]
        assert np.array_equal(measured.matrix.sel(run=run), inner.arrays["matrix"].values)
        rows = (tmp_path / "outputs/train/s" / run / "metrics.jsonl").read_text().splitlines()
        assert trained.loss.sel(run=run) == json.loads(rows[-1])["loss"]
    assert set(measured.num_informative.coords) >= {"run", "seed"}
    assert measured.matrix.dims == ("run", "intervened", "responding")

    ranked = opened(file, "udr")  # the two seeds are partners
    assert ranked.num_partners.values.tolist() == [1, 1]
    assert ranked.udr_spearman[0] == ranked.udr_spearman[1]
    assert 0 < ranked.udr_spearman[0] <= 1
    row = table(file.with_suffix(".csv"))[root.run.values[0]]
    assert row["experiment"] == "helix"
    assert row["assay.assays.response_matrix.num_samples"] == "16"
    assert row["response_matrix.num_informative"]
    assert row["provenance.torch"]
    assert not [key for key in row if key in ("provenance.config", "provenance.checkpoint_config")]


def test_assay_rows_have_training_settings(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=t", "model.beta=0.2").returncode == 0
    words = ["assay", "-m", "ckpt=outputs/train/t", "assay.num_samples=16,32", "name=a"]
    assert lrx(*words).returncode == 0
    assert len(collect(tmp_path / "outputs/assay/a", tmp_path / "made.h5")) == 2
    row = next(iter(table(tmp_path / "made.csv").values()))
    assert json.loads(opened(tmp_path / "made.h5").in_common.item())["model.beta"] == 0.2
    assert row["assay.ckpt"] == "outputs/train/t"
    measured = opened(tmp_path / "made.h5", "response_matrix")
    assert sorted(measured.assay_num_samples.values) == [16, 32]
    assert len(collect(tmp_path / "outputs", tmp_path / "all.h5")) == 3  # and the one that was trained
    assert opened(tmp_path / "all.h5").command.values.tolist() == ["assay", "assay", "train"]


def test_scores_with_errors(tmp_path: Path) -> None:
    write_run(tmp_path / "s/a", assays=result(0.5))
    write_run(tmp_path / "s/deep/er/b", seed=1, beta=4.0, assays=result(0.7))
    write_run(tmp_path / "s/c", seed=2)  # no assay
    collect(tmp_path / "s", tmp_path / "s/collected.h5")
    rows = table(tmp_path / "s/collected.csv")
    assert {run: (row["response_matrix.gap"], row["response_matrix.gap_se"]) for run, row in rows.items()} == {
        "a": ("0.5", "0.05"),
        "deep/er/b": ("0.7", str(0.7 / 10)),
        "c": ("", ""),
    }
    assert rows["deep/er/b"]["train.loss"] == "4.0"  # the last line that is whole
    assert rows["a"]["assay.seed"] == "3"
    assert rows["a"]["seed"] == "0"
    data = opened(tmp_path / "s/collected.h5", "response_matrix")
    assert data.gap.attrs["ancillary_variables"] == "gap_se"
    assert data.gap.sel(run="deep/er/b") == 0.7
    assert np.isnan(data.gap.sel(run="c"))
    assert np.isnan(data.matrix.sel(run="c")).all()
    assert np.array_equal(data.matrix.sel(run="a"), np.full((2, 2), 0.5))
    assert data.matrix.attrs["display_units"] == "latent"
    assert data.gap.groupby("model_beta").mean().sel(model_beta=4.0) == 0.7
    common = json.loads(opened(tmp_path / "s/collected.h5").in_common.item())
    assert common == {"latent_dim": 2, "model.kl": "exact", "name": "sweep", "assay.num_samples": 16, "assay.seed": 3}


def test_remarks_are_a_column(lrx: Lrx, tmp_path: Path) -> None:
    remark = "no latent answers to any factor with more than 0.1; CDS and completeness compare next to nothing"
    good, dead = result(0.5)["response_matrix"], result(0.9923)["response_matrix"]
    dead = AssayResult(dead.arrays, dead.coordinates, dead.scores, {"remark": remark})
    write_run(tmp_path / "s/dead", assays={"response_matrix": dead, "metrics": good})
    write_run(tmp_path / "s/good", seed=1, assays={"response_matrix": replace(good, settings={"remark": None})})
    done = lrx("collect", "s")
    assert done.returncode == 0
    heading, *lines = done.stdout.splitlines()
    assert heading.rstrip() == "s: 2 done; 1 with a remark"
    assert lines[0].split()[:4] == ["dead", "done", "response_matrix:", "no"]
    assert "all runs: 2 seeds; 1 with a remark *" not in lines  # nothing of these is a main score
    rows = table(tmp_path / "s/collected.csv")
    assert {run: row["remark"] for run, row in rows.items()} == {"dead": f"response_matrix: {remark}", "good": ""}
    assert opened(tmp_path / "s/collected.h5").remark.values.tolist() == [f"response_matrix: {remark}", ""]
    measured = opened(tmp_path / "s/collected.h5", "response_matrix")
    assert measured.gap.remark.values.tolist() == [remark, ""]  # it goes where the scores go
    assert measured.gap.where(measured.remark == "").mean() == 0.5
    assert opened(tmp_path / "s/collected.h5", "metrics").remark.values.tolist() == ["", ""]


def test_repeated_assay_has_its_own_row(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", assays=result(0.5))
    (run / "again").mkdir()
    results.write(run / "again/result.h5", result(0.6), {"torch": "2.1"})
    rows = collect(tmp_path, tmp_path / "collected.h5")
    assert {row.run: row.scores["response_matrix"]["gap"] for row in rows} == {"a": 0.6, "a/paper": 0.5}
