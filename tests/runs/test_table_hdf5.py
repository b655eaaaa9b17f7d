"""Collected arrays: which are stacked and ranked, and foreign types among them."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from lrx.core.types import Array, AssayResult
from lrx.runs import status
from lrx.storage import results
from tests.runs.test_collect import collect, opened, result, table, write_run

ODD = [
    np.full(shape, value) for shape in ((), (2,), (9, 2), (1, 2), (0, 2), (2, 2)) for value in (True, 1j, b"a\0b", 3)
]
ODD += [np.full(shape, np.nan, dtype) for shape in ((), (9, 2), (2, 2)) for dtype in ("f2", "f4", ">f8", "f16")]
ODD += [np.full(2, 2**64 - 1, "u8"), np.zeros(2, [("a", "i4")]), np.zeros((9, 5000)), np.ones(2, "f2")]


def with_all(seed: int) -> dict[str, AssayResult]:
    """A matrix, and codes that can be ranked."""
    codes = np.random.default_rng(seed).standard_normal((9, 2))
    arrays = {"codes": Array(codes, ("image", "latent")), "carrying": Array(np.ones(2, np.uint8), ("latent",))}
    return {**result(0.5), "codes": AssayResult(arrays, {"image": np.arange(9), "latent": np.arange(2)}, {})}


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
