"""Arrays in files that hold more than their numbers: several arrays, and what netCDF says of missing values."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

from lrx.data.code_file import read_codes
from tests.data.test_arrays import COLOUR, opened


def test_npy_of_several_arrays_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "mine.npy").open("wb") as file:
        for part in (COLOUR[:4], COLOUR[4:]):  # numpy's load would give the first alone
            np.save(file, part)
    with pytest.raises(ValueError, match=r"holds 608 bytes after its first array, of shape \(4, 8, 10, 3\)"):
        opened(tmp_path / "mine.npy")


def netcdf(path: Path, values: np.ndarray, **encoding: object) -> Path:
    data = xarray.Dataset({"images": (tuple("nyx"[: values.ndim]), values)})
    data.to_netcdf(path, engine="h5netcdf", encoding={"images": encoding})
    return path


def test_packed_netcdf_is_refused(tmp_path: Path) -> None:
    path = netcdf(tmp_path / "a.nc", COLOUR[..., 0] / 255, dtype="uint8", scale_factor=1 / 200, _FillValue=255)
    with pytest.raises(ValueError, match=r"'images' is packed by netCDF \(scale_factor 0.005\), and lrx does"):
        opened(path)
    with h5py.File(tmp_path / "plain.nc", "w") as file:
        file["images"] = COLOUR
        file["images"].attrs.update(scale_factor=1.0, add_offset=0)  # which change nothing
    assert len(opened(tmp_path / "plain.nc")) == len(COLOUR)


@pytest.mark.parametrize("name", ["_FillValue", "missing_value"])
def test_missing_values_of_netcdf_are_refused(tmp_path: Path, name: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    whole = opened(netcdf(tmp_path / "whole.nc", vectors, **{name: np.float32(-9999)}))
    assert np.array_equal(whole.pixels[np.arange(6)], vectors)
    vectors[3, 2] = np.nan  # which xarray stores as that number
    with pytest.raises(ValueError, match=rf"row 3 of 'images' lacks a value: it has -9999, its {name}"):
        opened(netcdf(tmp_path / "a.nc", vectors, **{name: np.float32(-9999)}))


def test_missing_factors_of_netcdf_are_refused(tmp_path: Path) -> None:
    data = xarray.Dataset({"codes": (("n", "d"), np.eye(4)), "factors": (("n", "f"), [[0.0], [1.0], [np.nan], [2.0]])})
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf", encoding={"factors": {"dtype": "int8", "_FillValue": 127}})
    with pytest.raises(ValueError, match="row 2 of 'factors' lacks a value: it has 127, its _FillValue"):
        read_codes(tmp_path / "a.nc")


def test_codes_without_columns_are_one_line(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["codes"], file["factors"] = np.zeros((4, 0)), np.zeros(4)
    with pytest.raises(ValueError, match=r"'codes' has shape \(4, 0\): it holds nothing"):
        read_codes(tmp_path / "a.h5")


def test_damaged_names_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.eye(3, dtype=np.float32), names=np.array(["a", "b", "c"]))
    content = bytearray(path.read_bytes())
    content[content.rindex("abc".encode("utf-32-le"))] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"names must be an array of texts, one a column \(Bad CRC-32 for file"):
        opened(path, names="names")
