"""Result files that other tools rewrote, or to which they added groups, arrays, types and attributes."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import xarray

from lrx.storage import results
from lrx.storage.result_scan import array_infos, scan
from tests.conftest import Lrx

WRITTEN = Path(__file__).parents[1] / "data" / "v0.1.0" / "outputs" / "assay" / "paper" / "result.h5"


def rewrite(path: Path) -> None:
    """Have xarray read and write all of it, as for another compression."""
    tree = xarray.open_datatree(path, engine="h5netcdf")
    tree.load().close()
    tree.to_netcdf(path, engine="h5netcdf")


def add_foreign_parts(path: Path) -> None:
    """Add a group by xarray, and by h5py an array, a group, a data set and attributes."""
    dataset = xarray.Dataset({"note": ("row", np.arange(3.0))})
    dataset.to_netcdf(path, mode="a", group="mine", engine="h5netcdf")
    with h5py.File(path, "a") as file:
        file["response_matrix/extra"] = np.arange(3.0)
        file["response_matrix/deeper/x"] = 1.0
        file["response_matrix/word"] = "text"
        file["alone"] = np.arange(3)
        file.attrs["numbers"] = np.arange(3)
        file["response_matrix"].attrs["numbers"] = np.arange(3)
        file.attrs["bytes"] = np.bytes_("by another library")


FOREIGN = {"/mine", "/alone", "attribute numbers of /", "attribute numbers of /response_matrix"}
FOREIGN |= {"/response_matrix/extra", "/response_matrix/deeper", "/response_matrix/word"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(WRITTEN, tmp_path / "result.h5"))


def assert_same(one: results.Results, other: results.Results) -> None:
    assert one.assays.keys() == other.assays.keys()
    assert one.provenance_of == other.provenance_of
    for name, result in one.assays.items():
        again = other.assays[name]
        assert (result.settings, result.arrays.keys()) == (again.settings, again.arrays.keys())
        np.testing.assert_equal(dict(result.scores), dict(again.scores))
        for key, array in result.arrays.items():
            np.testing.assert_array_equal(array.values, again.arrays[key].values)
            assert (array.axes, array.unit, array.description) == (
                again.arrays[key].axes,
                again.arrays[key].unit,
                again.arrays[key].description,
            )
        for axis, labels in result.coordinates.items():
            np.testing.assert_array_equal(labels, again.coordinates[axis])


def test_rewritten_by_xarray(path: Path) -> None:
    before = results.read(path)
    rewrite(path)
    with h5py.File(path) as file:  # what xarray does to an attribute
        assert file.attrs["trained_steps"].shape == (1,)
    after = results.read(path)
    assert_same(before, after)
    assert before.provenance == after.provenance
    assert after.foreign == ()
    name = "response_matrix"
    results.write(path, {name: before.assays[name]}, before.provenance)  # it can be added to


def test_foreign_parts_are_named_and_kept(path: Path) -> None:
    before = results.read(path)
    add_foreign_parts(path)
    after = results.read(path)
    assert_same(before, after)
    assert set(after.foreign) == FOREIGN
    assert after.provenance == {**before.provenance, "bytes": "by another library"}
    content = path.read_bytes()
    name = "response_matrix"
    with pytest.raises(ValueError, match=r"would lose what lrx did not write: .*attribute numbers of /.*another name"):
        results.write(path, {name: before.assays[name]}, before.provenance)
    assert path.read_bytes() == content


@pytest.mark.parametrize("change", [rewrite, add_foreign_parts])
def test_show_report_and_collect(change, path: Path, lrx: Lrx, tmp_path: Path) -> None:
    shown = lrx("show", str(path)).stdout
    (tmp_path / "runs/a").mkdir(parents=True)
    (tmp_path / "runs/b").mkdir(parents=True)
    shutil.copy(path, tmp_path / "runs/b/result.h5")
    change(path)
    again = lrx("show", str(path))
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[:10] == shown.splitlines()[:10]
    assert ("not shown, as lrx did not write it" in again.stderr) == (change is add_foreign_parts)

    page = lrx("report", str(path), "out=page.html")
    assert page.returncode == 0, page.stderr
    text = (tmp_path / "page.html").read_text()
    assert ("left out what lrx did not write: " in text) == (change is add_foreign_parts)

    shutil.copy(path, tmp_path / "runs/a/result.h5")
    collected = lrx("collect", "runs")
    assert collected.returncode == 0
    with (tmp_path / "runs/collected.csv").open(encoding="utf-8") as file:
        changed, untouched = csv.DictReader(file)
    assert changed["error"] == untouched["error"]
    assert not [key for key in changed if key.startswith(("mine", "alone"))]
    scores = [key for key in untouched if key.startswith(("response_matrix.", "latent_graph."))]
    assert len(scores) > 5
    assert {key: changed[key] for key in scores} == {key: untouched[key] for key in scores}
    assert ("left out what lrx did not write: " in collected.stderr) == (change is add_foreign_parts)


@pytest.fixture
def current(path: Path) -> Path:
    """A file of this version, of what version 0.1.0 wrote."""
    stored = results.read(path)
    assert stored.assays["response_matrix"].arrays["kl"].unit == "nat"  # of a file whose `units` are words
    path.unlink()
    results.write(path, stored.assays, stored.provenance)
    return path


def append_by_netcdf4(path: Path) -> None:
    """Add by netCDF-C, as ncatted and ncks -A do: attributes, a group, a type, and arrays with and without labels."""
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("row", 3)
        file.createVariable("mine/x", "f8", ("row",))[:] = 1
        group = file["response_matrix"]
        group.createCompoundType(np.dtype([("x", "f8")]), "pair")
        group.createVariable("plain", "f8", ("intervened",))[:] = 2
        unlabelled = group.createVariable("unlabelled", "f8", ("row",))
        unlabelled.setncatts({"units": "m", "long_name": "along a dimension of the root, which has no labels"})
        group["matrix"].setncattr("history", "looked at")
        file.setncattr("history", "appended")


def test_netcdf4_appends(current: Path) -> None:
    before = results.read(current)
    append_by_netcdf4(current)
    after = results.read(current)
    assert_same(before, after)
    assert after.provenance == {**before.provenance, "history": "appended"}
    names = [f"/response_matrix/{name}" for name in ("pair", "plain", "unlabelled (without labels of its axes)")]
    assert sorted(after.foreign) == sorted(["/mine", "/row", *names])


def test_xarray_appends_by_netcdf4(current: Path) -> None:
    before = results.read(current)
    xarray.Dataset({"note": ("row", np.arange(3.0))}).to_netcdf(current, mode="a", group="mine", engine="netcdf4")
    after = results.read(current)
    assert_same(before, after)
    assert after.foreign == ("/mine",)


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_engines_of_xarray_rewrite(engine: str, current: Path, tmp_path: Path) -> None:
    before = results.read(current)
    with xarray.open_datatree(current, engine=engine) as tree:
        tree.to_netcdf(tmp_path / "again.h5", engine=engine)
    after = results.read(tmp_path / "again.h5")
    assert_same(before, after)
    assert after.foreign == ()


def test_text_of_fixed_length(current: Path) -> None:
    """Attributes as arrays of one and texts of fixed length, as the NetCDF libraries of Fortran and MATLAB write."""
    before, scanned = results.read(current), scan(current)[0]["response_matrix"]
    with h5py.File(current, "a") as file:
        group = file["response_matrix"]
        for node in (file, group, *group.values()):
            texts = {key: value for key, value in node.attrs.items() if isinstance(value, str)}
            for key, value in texts.items():
                node.attrs[key] = np.array([value.encode()], dtype=f"S{len(value.encode()) or 1}")
        group.attrs["remark"] = np.array([b"few draws"])
    after, again = results.read(current), scan(current)[0]["response_matrix"]
    assert after.provenance == before.provenance
    assert after.assays["response_matrix"].settings["remark"] == again.remark == "few draws"
    assert (again.scores, again.members.keys()) == (scanned.scores, scanned.members.keys())
    info = array_infos(current, "response_matrix", ["kl"])["kl"]
    assert (info.unit, info.text) == ("nat", before.assays["response_matrix"].arrays["kl"].description)
