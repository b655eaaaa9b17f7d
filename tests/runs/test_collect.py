"""`lrx collect`: every run of a tree in one file and one table, whatever else lies in the tree."""

from __future__ import annotations

import csv
import json
import os
import re
import threading
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from lrx.core.config_text import flatten
from lrx.core.types import Array, AssayResult
from lrx.runs import status
from lrx.runs.collect import collect as collect_runs
from lrx.runs.table import Row
from lrx.storage import results
from tests.conftest import TINY, Lrx

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


# ----------------------------------------------------------------------------------------------- what is collected


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
    assert data.matrix.attrs["units"] == "latent"
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


@pytest.mark.parametrize("odd", [np.bytes_(b"\xff\x00\xfe"), 3.0, np.array(["a", "b"], object), "x" * 5000, "\x1b[2J"])
def test_remarks_of_foreign_types(tmp_path: Path, odd: object) -> None:
    run = write_run(tmp_path / "a", assays=result(0.5))
    with h5py.File(run / "paper/result.h5", "r+") as file:
        file["response_matrix"].attrs["remark"] = odd
    (row,) = collect(tmp_path, tmp_path / "out.h5")
    assert row.error == ""
    assert len(row.remark) < 1100
    assert row.remark.isprintable()
    assert opened(tmp_path / "out.h5").remark.values.tolist() == [row.remark]


def test_arrays_of_different_shapes_are_not_stacked(tmp_path: Path) -> None:
    write_run(tmp_path / "a", assays=result(0.5))
    write_run(tmp_path / "b", assays=result(0.5, latents=3))
    large = {"big": AssayResult({"x": Array(np.zeros(5000), ("place",))}, {}, {"one": 1.0})}
    write_run(tmp_path / "c", assays=large)
    collect(tmp_path, tmp_path / "collected.h5")
    assert set(opened(tmp_path / "collected.h5", "response_matrix").data_vars) == {"gap", "gap_se"}
    assert set(opened(tmp_path / "collected.h5", "big").data_vars) == {"one"}


def test_names_are_valid_in_netcdf(tmp_path: Path) -> None:
    odd = {"new-assay 2": AssayResult({}, {}, {"a.b": 1.0, "a b": 2.0, "7th": 3.0, "run": 4.0})}
    write_run(tmp_path / "a", assays=odd)
    write_run(tmp_path / "b", seed=1, assays=odd)
    collect(tmp_path, tmp_path / "collected.h5")
    data = opened(tmp_path / "collected.h5", "new_assay_2")
    assert {data[name].attrs["long_name"].split(" of ")[0]: data[name].values[0] for name in data.data_vars} == {
        "a.b": 1.0,
        "a b": 2.0,
        "7th": 3.0,
        "run": 4.0,
    }
    with h5py.File(tmp_path / "collected.h5") as file:
        names: list[str] = []
        file.visit(names.append)
    assert all(part.isidentifier() and part.isascii() for name in names for part in name.split("/"))
    xr.open_datatree(tmp_path / "collected.h5", engine="h5netcdf").close()


def test_repeated_assay_has_its_own_row(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", assays=result(0.5))
    (run / "again").mkdir()
    results.write(run / "again/result.h5", result(0.6), {"torch": "2.1"})
    rows = collect(tmp_path, tmp_path / "collected.h5")
    assert {row.run: row.scores["response_matrix"]["gap"] for row in rows} == {"a": 0.6, "a/paper": 0.5}


def test_runs_of_one_seed_are_not_ranked(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        codes = np.random.default_rng(seed).standard_normal((50, 2)).astype(np.float32)
        arrays = {
            "codes": Array(codes, ("image", "latent")),
            {"a": "active_by_kl", "b": "carrying", "c": "informative"}[name]: Array(np.ones(2, np.uint8), ("latent",)),
        }
        write_run(tmp_path / name, seed=seed, assays={"codes": AssayResult(arrays, {"image": np.arange(50)}, {})})
    write_run(tmp_path / "d", seed=2, beta=7.0, assays={"codes": AssayResult(arrays, {"image": np.arange(50)}, {})})
    write_run(tmp_path / "e", seed=3, assays={"codes": AssayResult(arrays, {"image": np.arange(50) + 1}, {})})
    collect(tmp_path, tmp_path / "collected.h5")
    data = opened(tmp_path / "collected.h5", "udr")
    assert data.num_partners.values.tolist() == [1, 1, 2, 0, 0]  # d has another beta, e saw other images
    assert np.isnan(data.udr_spearman.values).tolist() == [False, False, False, True, True]
    assert data.udr_spearman[0] == data.udr_spearman[1] == data.udr_spearman[2]


# --------------------------------------------------------------------------------------------- what is not as it should


def test_unfinished_and_failed_runs_are_listed(lrx: Lrx, tmp_path: Path) -> None:
    write_run(tmp_path / "s/good")
    write_run(tmp_path / "s/bad", seed=1, state="failed", error="the loss is nan at step 5")
    write_run(tmp_path / "s/cut", seed=2, state="running")  # and nobody holds its lock
    (tmp_path / "s/waits").mkdir()
    status.write(tmp_path / "s/waits", status.Status("queued", "train", ("seed=9",)))
    half = write_run(tmp_path / "s/half", seed=3, assays=result(0.5))
    status.write(half / "paper", status.Status("failed", "assay", error="no memory"))
    done = lrx("collect", "s")
    assert done.returncode == 0
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == "s: 2 failed, 1 interrupted, 1 queued, 1 done"
    assert sorted(" ".join(line.split()) for line in lines[1:]) == [
        "bad failed the loss is nan at step 5",
        "cut interrupted at step 5 of 10",
        "half failed paper: no memory",
        "waits queued",
    ]
    rows = table(tmp_path / "s/collected.csv")
    assert (rows["bad"]["state"], rows["bad"]["error"]) == ("failed", "the loss is nan at step 5")
    assert (rows["waits"]["state"], rows["waits"]["seed"]) == ("queued", "9")
    assert rows["half"]["response_matrix.gap"] == "0.5"
    root = opened(tmp_path / "s/collected.h5")
    assert root.state.sel(run="cut") == "interrupted"
    assert root.error.sel(run="good") == ""
    assert "latent_dim" not in rows["good"]  # the same in all configs that there are


def damage_result(folder: Path, kind: str) -> None:
    """Damage the result of a run folder in one way."""
    file = folder / "paper/result.h5"
    whole = file.read_bytes()
    secret = folder.parent.parent / "secret.h5"
    results.write(secret, result(99.0), {})
    if kind == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
    elif kind == "foreign":
        file.write_bytes(b"no HDF5")
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "not of lrx":
        with h5py.File(file, "w") as other:
            other["x"] = 1
    elif kind in ("external link", "soft link", "external storage", "virtual"):
        with h5py.File(file, "r+") as damaged:
            group = damaged["response_matrix"]
            if kind == "external link":
                group["stolen"] = h5py.ExternalLink(str(secret), "/response_matrix/gap")
            elif kind == "soft link":
                group["stolen"] = h5py.SoftLink("/response_matrix/gap")
            elif kind == "external storage":
                group.create_dataset("stolen", (3,), "f8", external=[(str(secret), 0, 24)])
            else:
                layout = h5py.VirtualLayout((2, 2), "f8")
                layout[:] = h5py.VirtualSource(str(secret), "response_matrix/matrix", (2, 2))
                group.create_virtual_dataset("stolen", layout)
    elif kind == "external group":
        with h5py.File(file, "r+") as damaged:
            damaged["metrics"] = h5py.ExternalLink(str(secret), "/response_matrix")
    elif kind == "links out of the tree":
        file.unlink()
        file.symlink_to(secret)
    elif kind == "a pipe":
        file.unlink()
        os.mkfifo(file)
    elif kind == "a folder":
        file.unlink()
        file.mkdir()
    elif kind == "a dangling link":
        file.unlink()
        file.symlink_to(folder / "paper/nothing")


KINDS = {
    "truncated": "not a readable results file",
    "foreign": "not a readable results file",
    "empty": "not a readable results file",
    "not of lrx": "`format` is not lrx-results-1",
    "external link": "stolen leads elsewhere",
    "soft link": "stolen leads elsewhere",
    "external storage": "stolen leads elsewhere",
    "virtual": "stolen leads elsewhere",
    "external group": "metrics leads elsewhere",
    "links out of the tree": "is a link that leads out of",
    "a pipe": "result.h5 is no plain file",
    "a folder": "result.h5 is no plain file",
    "a dangling link": "result.h5: no such file",
}


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_result_is_one_line(tmp_path: Path, kind: str) -> None:
    write_run(tmp_path / "s/good", assays=result(0.5))
    damage_result(write_run(tmp_path / "s/bad", seed=1, assays=result(0.7)), kind)
    rows = {row.run: row for row in collect(tmp_path / "s", tmp_path / "out.h5")}
    assert rows.keys() == {"good", "bad"}
    assert rows["bad"].error.startswith("paper: ")
    assert KINDS[kind] in rows["bad"].error
    assert "\n" not in rows["bad"].error
    data = opened(tmp_path / "out.h5", "response_matrix").gap
    assert data.sel(run="good") == 0.5
    assert np.isnan(data.sel(run="bad"))
    assert opened(tmp_path / "out.h5").seed.sel(run="bad") == 1


def test_damaged_text_files_are_one_line_each(tmp_path: Path) -> None:
    top = tmp_path / "s"
    write_run(top / "good")
    bomb = "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n"
    configs = {
        "bomb": bomb,
        "deep": "a: " + "[" * 20_000,
        "list": "- 1\n- 2\n",
        "tag": "a: !!python/object/apply:os.system [true]\n",
        "bytes": b"\xff\xfe\x00",
        "huge": "a: " + "x" * 2**20,
    }
    for name, content in configs.items():
        path = write_run(top / name) / "config.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    states = {"nothing": "", "deeper": "[" * 200_000, "kinds": '{"state": "done", "rate": "fast"}', "other": "{}"}
    states["infinite"] = '{"state": "running", "seconds_left": Infinity}'
    for name, content in states.items():
        (write_run(top / name) / "status.json").write_text(content)
    (write_run(top / "escape") / "status.json").write_text(
        json.dumps({"state": "failed", "error": "\x1b[2Jbad\nworse", "overrides": ["seed=\x00"]})
    )
    for name, line in (("no-object", "[1]"), ("no-number", '{"loss": "low"}'), ("overflow", f'{{"loss": {10**400}}}')):
        (write_run(top / name) / "metrics.jsonl").write_text(f'{{"step": 1, "loss": 2.0}}\n{line}\n')
    rows = {row.run: row for row in collect(top, tmp_path / "out.h5")}
    assert rows.keys() == {"good", *configs, *states, "escape", "no-object", "no-number", "overflow"}
    for name in configs:
        assert "config.yaml" in rows[name].error
        assert rows[name].state == "done"
    for name in states:
        assert (rows[name].state, rows[name].error) == ("unknown", "status.json is not one of lrx")
    assert rows["escape"].error == "?[2Jbad worse"
    assert all(rows[name].scores["train"]["loss"] == 2.0 for name in ("no-object", "no-number", "overflow"))
    assert opened(tmp_path / "out.h5").sizes["run"] == len(rows)


def test_incomparable_codes_are_not_ranked(tmp_path: Path) -> None:
    def with_codes(seed: int, codes: np.ndarray, latents: int) -> None:
        arrays = {"codes": Array(codes, ("image", "latent")), "carrying": Array(np.ones(latents), ("flag",))}
        write_run(tmp_path / str(seed), seed=seed, assays={"codes": AssayResult(arrays, {"image": np.arange(9)}, {})})

    fine = np.arange(18.0).reshape(9, 2)
    with_codes(0, fine, 2)
    with_codes(1, fine * np.nan, 2)
    with_codes(2, fine, 1)
    with_codes(3, fine, 2)
    rows = collect(tmp_path, tmp_path / "out.h5")
    assert [row.scores.get("udr", {}).get("num_partners") for row in rows] == [1.0, None, None, 1.0]
    shapes = "its codes cannot be ranked: they are of shape (9, 2), and which latents are carrying (1,)"
    assert [row.error for row in rows] == ["", "its codes cannot be ranked: they are not finite", shapes, ""]


def with_all(seed: int) -> dict[str, AssayResult]:
    """A matrix, and codes that can be ranked."""
    codes = np.random.default_rng(seed).standard_normal((9, 2))
    arrays = {"codes": Array(codes, ("image", "latent")), "carrying": Array(np.ones(2, np.uint8), ("latent",))}
    return {**result(0.5), "codes": AssayResult(arrays, {"image": np.arange(9), "latent": np.arange(2)}, {})}


ODD = [
    np.full(shape, value) for shape in ((), (2,), (9, 2), (1, 2), (0, 2), (2, 2)) for value in (True, 1j, b"a\0b", 3)
]
ODD += [np.full(shape, np.nan, dtype) for shape in ((), (9, 2), (2, 2)) for dtype in ("f2", "f4", ">f8", "f16")]
ODD += [np.full(2, 2**64 - 1, "u8"), np.zeros(2, [("a", "i4")]), np.zeros((9, 5000)), np.ones(2, "f2")]


@pytest.mark.parametrize("member", ["codes/codes", "codes/carrying", "response_matrix/gap", "response_matrix/matrix"])
def test_arrays_of_foreign_types(tmp_path: Path, member: str) -> None:
    for seed in range(2):
        write_run(tmp_path / f"s/good{seed}", seed=seed, assays=with_all(seed))
    for number, values in enumerate(ODD):
        run = write_run(tmp_path / f"s/a{number}", seed=9, assays=with_all(9))  # named so that they come first
        with h5py.File(run / "paper/result.h5", "r+") as file:
            del file[member]
            file[member] = values
    rows = {row.run: row for row in collect(tmp_path / "s", tmp_path / "out.h5")}
    assert len(rows) == len(ODD) + 2
    for name in ("good0", "good1"):
        assert rows[name].error == ""
        assert rows[name].scores["response_matrix"]["gap"] == 0.5
        assert rows[name].scores["udr"]["num_partners"] >= 1
    if member == "codes/codes":
        expected = [
            rows[f"a{number}"].error.removeprefix("its codes cannot be ranked: they are ") for number in (9, 15, 29)
        ]
        kinds = "complex128, and which latents are carrying is uint8"
        assert expected == [kinds, "of 1 images and 2 latents", "not finite"]


def test_foreign_labels_are_not_stacked(tmp_path: Path) -> None:
    for number, labels in enumerate([np.array([b"a\0b"] * 2), np.ones(2, "f2"), np.zeros(2, [("a", "i4")])]):
        for seed in range(2):
            run = write_run(tmp_path / f"{number}/{seed}", seed=seed, assays=result(0.5))
            with h5py.File(run / "paper/result.h5", "r+") as file:
                del file["response_matrix/responding"]
                file["response_matrix/responding"] = labels
                file["response_matrix/responding"].make_scale("responding")
                file["response_matrix/matrix"].dims[1].attach_scale(file["response_matrix/responding"])
        collect(tmp_path / str(number), tmp_path / "out.h5")
        assert set(opened(tmp_path / "out.h5", "response_matrix").data_vars) == {"gap", "gap_se"}


def test_damaged_axes_cost_at_most_the_stack(tmp_path: Path) -> None:
    """HDF5's own check of a scale frees twice, and so aborts the process, for a class of another name."""
    for seed, old, new in ((0, b"DIMENSION_SCALE", b"DIMENSIO,_SCALE"), (1, b"DIMENSION_LIST", b"DIMENSION_LOST")):
        run = write_run(tmp_path / f"{seed}/a", assays=result(0.5))
        file = run / "paper/result.h5"
        file.write_bytes(file.read_bytes().replace(old, new))
        (row,) = collect(tmp_path / str(seed), tmp_path / "out.h5")
        assert row.scores["response_matrix"]["gap"] == 0.5
        stacked = {"matrix"} if b"SCALE" in old else set()  # whose axes are known by name, too
        assert set(opened(tmp_path / "out.h5", "response_matrix").data_vars) == {"gap", "gap_se"} | stacked


def test_nan_and_large_numbers(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", assays=result(0.5))
    with h5py.File(run / "paper/result.h5", "r+") as file:
        file.attrs["seed"], file.attrs["torch"] = np.uint64(2**64 - 1), np.nan
    (run / "config.yaml").write_text("lr: .nan\nbeta: .inf\nlarge: 18446744073709551615\n")
    (run / "paper/config.yaml").write_text("assay: {rate: .nan}\n")
    (run / "more").mkdir()
    results.write(run / "more/result.h5", {"other": result(1.0)["response_matrix"]}, {"torch": np.nan})
    status.write(run / "more", status.Status("done", "assay"))
    (run / "more/config.yaml").write_text("assay: {rate: .nan}\n")
    (row,) = collect(tmp_path, tmp_path / "out.h5")
    assert row.error == ""
    common = json.loads(opened(tmp_path / "out.h5").in_common.item())
    assert common == {"lr": "nan", "beta": "inf", "large": "18446744073709551615", "assay.rate": "nan"}
    assert table(tmp_path / "out.csv")["a"]["provenance.seed"] == str(2**64 - 1)


def test_too_many_keys_are_dropped_and_counted(tmp_path: Path) -> None:
    top = tmp_path / "s"
    write_run(top / "good", assays=result(0.5))
    write_run(top / "many", seed=1)
    words = ("x" * 10_000 + "=1", "two\nlines=1", *(f"key{number}=1" for number in range(1200)))
    status.write(top / "many", status.Status("done", "train", words))
    (write_run(top / "wide", seed=2) / "config.yaml").write_text("".join(f"k{number}: 1\n" for number in range(20_000)))
    (write_run(top / "loud", seed=3) / "status.json").write_text(json.dumps({"state": "failed", "error": "e" * 10**5}))
    (write_run(top / "far", seed=4) / "status.json").write_text(json.dumps({"state": "running", "step": 10**400}))
    names = write_run(top / "names", seed=5, assays=result(0.5))
    with h5py.File(names / "paper/result.h5", "r+") as file:
        file["response_matrix/" + "y" * 10_000] = 1.0
    rows = {row.run: row for row in collect(top, tmp_path / "out.h5")}
    columns = list(table(tmp_path / "out.csv")["good"])
    assert len([name for name in columns if name.startswith("key")]) < 1000
    assert max(map(len, columns)) < 100
    assert rows["good"].error == ""
    assert rows["many"].error.startswith("dropped 2")  # 1,000 columns are taken, among them those of the others
    assert rows["wide"].error == "config.yaml has 20,001 keys; at most 10,000"
    assert rows["loud"].error.endswith("eee... (100,000 letters)")
    assert (rows["far"].state, rows["far"].error) == ("unknown", "status.json is not one of lrx")
    assert "longer than 200 characters" in rows["names"].error


@pytest.mark.parametrize("text", ["!!timestamp x", "!!bool x", "!!int ''", "!!float ''", "9" * 5000, "{? [1]: 2}"])
def test_invalid_yaml_values_are_one_line(tmp_path: Path, text: str) -> None:
    (write_run(tmp_path / "a") / "config.yaml").write_text(f"a: {text}\n")
    (row,) = collect(tmp_path, tmp_path / "out.h5")
    assert row.error.startswith("config.yaml is damaged (")


def test_random_damage_costs_at_most_its_run(tmp_path: Path) -> None:
    """Files cut, or with bytes changed or put in; the good runs are all there, ranked against each other."""
    random, top = np.random.default_rng(0), tmp_path / "s"
    files = ("config.yaml", "status.json", "metrics.jsonl", "paper/config.yaml", "paper/status.json", "paper/result.h5")
    for seed in range(2):
        write_run(top / f"good{seed}", seed=seed, assays=with_all(seed))
    for number in range(60):
        path = write_run(top / f"bad{number}", seed=number + 2, assays=with_all(number)) / files[number % len(files)]
        content = bytearray(path.read_bytes())
        place = int(random.integers(len(content)))
        foreign = random.integers(0, 256, int(random.integers(1, 20)), dtype=np.uint8).tobytes()
        kind = number // len(files) % 3
        content[place:] = b"" if kind == 0 else foreign + content[place + (len(foreign) if kind == 1 else 0) :]
        path.write_bytes(content)
    rows = {row.run: row for row in collect(top, tmp_path / "out.h5")}
    for seed in range(2):
        good = rows[f"good{seed}"]
        assert (good.state, good.error, good.training["seed"]) == ("done", "", seed)
        assert good.scores["response_matrix"] == {"gap": 0.5, "gap_se": 0.05}
        assert good.scores["udr"]["num_partners"] >= 1
    assert {f"bad{number}" for number in range(60)} <= rows.keys()
    assert opened(tmp_path / "out.h5").sizes["run"] == len(table(tmp_path / "out.csv")) == len(rows)


def test_linked_and_hidden_folders_are_skipped(tmp_path: Path) -> None:
    write_run(tmp_path / "s/a")
    write_run(tmp_path / "elsewhere/b")
    write_run(tmp_path / "s/.hidden/c")
    (tmp_path / "s/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "s/around").symlink_to(tmp_path / "s")
    assert [row.run for row in collect(tmp_path / "s", tmp_path / "out.h5")] == ["a"]


def test_collect_twice_gives_same_files(tmp_path: Path) -> None:
    write_run(tmp_path / "a", assays=result(0.5))
    out = tmp_path / "collected.h5"
    collect(tmp_path, out)
    before = out.with_suffix(".csv").read_text()
    collect(tmp_path, out)
    assert out.with_suffix(".csv").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", *sorted(FILES)]


def test_collect_while_runs_write(tmp_path: Path) -> None:
    """Every look finds whole files or none, and the last one finds all."""
    start = threading.Barrier(17)

    def work(number: int) -> None:
        folder = tmp_path / f"run{number:02}"
        start.wait()
        with status.run_session(folder, command="assay", overrides=(f"seed={number}",), config=str(number)) as work:
            for step in range(5):
                results.write(folder / "result.h5", result(float(number)), {"torch": "2"})
                work.update(step=step, steps=5)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    start.wait()
    while any(thread.is_alive() for thread in threads):
        if any(tmp_path.glob("run*/status.json")):
            for row in collect(tmp_path, tmp_path / "collected.h5"):
                assert row.state in ("running", "done"), row.error
                assert row.scores.get("response_matrix", {}).get("gap", float(row.run[3:])) == float(row.run[3:])
    rows = collect(tmp_path, tmp_path / "collected.h5")
    assert [(row.state, row.scores["response_matrix"]["gap"]) for row in rows] == [
        ("done", float(number)) for number in range(16)
    ]


# ------------------------------------------------------------------------------------------------- what is asked for


def test_out_option(lrx: Lrx, tmp_path: Path) -> None:
    write_run(tmp_path / "s/a")
    assert lrx("collect", "s", "out=made/here.h5").returncode == 0
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["here-seeds.csv", "here.csv", "here.h5"]
    assert not (tmp_path / "s/collected.h5").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "lrx collect takes one folder, such as outputs/train/my-sweep"),
        (["s", "t"], "takes one folder, not s t"),
        (["s", "--fast"], "takes one folder, not --fast"),
        (["s", "out="], "usage: lrx collect FOLDER [out=PATH.h5]"),
        (["s", "out=x.csv"], "out=x.csv must end in .h5"),
        (["none"], "none is no folder"),
        (["empty"], "empty holds no runs"),
    ],
)
def test_wrong_arguments_are_one_line(lrx: Lrx, tmp_path: Path, words: list[str], expected: str) -> None:
    write_run(tmp_path / "s/a")
    (tmp_path / "empty").mkdir()
    done = lrx("collect", *words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert expected in done.stderr


def test_help(lrx: Lrx) -> None:
    for command in ("collect", "status"):
        done = lrx(command, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: lrx {command} FOLDER")


def test_flatten_reads_key_by_key() -> None:
    text = "a: 1\nb:\n  c: null\n  d:\n  - 1\n  - x\nthen:\n- paper\n- assay.only=[a]\ne: '2: 3'\nf: true\n"
    assert flatten(text) == {
        "a": 1,
        "b.c": None,
        "b.d": [1, "x"],
        "then": ["paper", "assay.only=[a]"],
        "e": "2: 3",
        "f": True,
    }


STARTS = ("=1+1", "+cmd", "-cmd|x", "@SUM(1)", "＝1")


def test_formulas_are_defused_in_cells_and_headers(tmp_path: Path) -> None:
    run = write_run(tmp_path / "@run", assays=result(0.5))
    other = write_run(tmp_path / "b", seed=-1)
    for place, folder in enumerate((run, other)):
        lines = [f"'{start}': '{start}{place}'\n" for start in STARTS]
        (folder / "config.yaml").write_text("".join(lines) + f"rate: {-place}\nword: '-{place}e3'\n")
        (folder / "metrics.jsonl").write_text('{"step": 1, "=loss": -2.0}\n')
    collect(tmp_path, tmp_path / "out.h5")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert {f"'{start}" for start in STARTS} <= set(header)
    cells = [cell for row in (header, *rows) for cell in row]
    assert "'@run" in cells
    risky = [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))]
    assert sorted(set(risky)) == ["-0e3", "-1", "-1e3", "-2.0"]  # numbers


def test_run_names_reach_no_terminal_raw(lrx: Lrx, tmp_path: Path) -> None:
    top = tmp_path / "top\x1b[31m"
    write_run(top / "a\x1b]0;title\x07", state="failed", error="why\x1b[2J")
    for command in (["collect", str(top)], ["status", str(top)]):
        done = lrx(*command)
        assert done.returncode == 0, done.stderr
        assert "a?]0;title?" in done.stdout
        assert "top?[31m" in (done.stdout + done.stderr).replace("\n", "")  # a long path is broken
        assert not {"\x1b", "\x07"} & set(done.stdout + done.stderr)
