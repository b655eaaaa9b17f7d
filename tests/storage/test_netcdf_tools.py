"""Result files that xarray rewrote, or to which other tools added groups, arrays and attributes."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

from lrx.storage import results
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
    assert lrx("collect", "runs").returncode == 0
    with (tmp_path / "runs/collected.csv").open(encoding="utf-8") as file:
        changed, untouched = csv.DictReader(file)
    assert changed["error"] == untouched["error"]
    assert not [key for key in changed if key.startswith(("mine", "alone"))]
    scores = [key for key in untouched if key.startswith(("response_matrix.", "latent_graph."))]
    assert len(scores) > 5
    assert {key: changed[key] for key in scores} == {key: untouched[key] for key in scores}
