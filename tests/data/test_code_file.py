"""Files of codes and factors: npz, HDF5, csv, tsv and parquet hold the same, and one line for what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas
import pytest
import torch

from lrx.data.code_file import read_codes

N = 12
CODES = np.random.default_rng(0).standard_normal((N, 3))
FACTORS = np.column_stack([np.arange(N) % 3, np.arange(N) / 8])
TABLE = pandas.DataFrame({"z2": CODES[:, 2], "shape": np.arange(N) % 3, "z0": CODES[:, 0], "z1": CODES[:, 1]}).assign(
    x=FACTORS[:, 1]
)


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["codes"], file["factors"], file["factor_names"] = CODES, FACTORS, ["shape", "x"]


WRITERS: dict[str, Callable[[Path], object]] = {
    "npz": lambda path: np.savez(path, codes=CODES, factors=FACTORS, factor_names=np.array(["shape", "x"])),
    "h5": hdf5,
    "csv": lambda path: TABLE.to_csv(path, index=False),
    "tsv": lambda path: TABLE.to_csv(path, index=False, sep="\t"),
    "parquet": lambda path: TABLE.to_parquet(path),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_file_holds_the_same(tmp_path: Path, kind: str) -> None:
    WRITERS[kind](tmp_path / f"mine.{kind}")
    data, every = read_codes(tmp_path / f"mine.{kind}"), torch.arange(N)
    assert np.allclose(data.raw(every), CODES, rtol=1e-15)
    assert np.allclose(data.factor_values(every), FACTORS, rtol=1e-15)
    assert data.value_names == ("shape", "x")
    assert data.is_continuous == (False, True)
    assert data.name == "mine"
    assert f"mine.{kind}; continuous factors: x" in data.source


def test_optional_names_and_code_column_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", codes=CODES, factors=FACTORS[:, 0])
    assert read_codes(tmp_path / "plain.npz").value_names == ("factor_1",)
    TABLE.rename(columns={"z0": "latent_0", "z1": "Code[1]", "z2": "codes 10"}).to_csv(tmp_path / "a.csv", index=False)
    assert np.allclose(read_codes(tmp_path / "a.csv").raw(torch.arange(N)), CODES)


def as_read_back(path: Path) -> pandas.DataFrame:
    TABLE.to_csv(path)
    return pandas.read_csv(path)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no_codes.npz": (lambda path: np.savez(path, factors=FACTORS), "has no array 'codes'; it holds factors"),
    "no_factors.npz": (lambda path: np.savez(path, codes=CODES), "has no array 'factors'; it holds codes"),
    "objects.npz": (lambda path: np.savez(path, codes=CODES, factors=FACTORS.astype(object)), "python objects"),
    "text.npz": (lambda path: np.savez(path, codes=CODES, factors=FACTORS.astype(str)), "factor factor_1 holds text"),
    "short.npz": (
        lambda path: np.savez(path, codes=CODES[:5], factors=FACTORS),
        "has 12 values, and there are 5 codes",
    ),
    "names.npz": (
        lambda path: np.savez(path, codes=CODES, factors=FACTORS, factor_names=np.array(["x"])),
        "factor_names must be 2 different names",
    ),
    "cut.npz": (lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "is not a whole npz file"),
    "cut.parquet": (lambda path: path.write_bytes(b"PAR1 and no more"), "is not a whole parquet file"),
    "mine.npy": (lambda path: np.save(path, CODES), "is none of the files that are read: an npz or HDF5 file"),
    "empty.csv": (lambda path: path.write_text(""), "holds no rows below a head line"),
    "index.csv": (lambda path: TABLE.to_csv(path), "columns without a name"),
    "index.parquet": (lambda path: TABLE.sample(frac=1).to_parquet(path), "column __index_level_0__ is an index"),
    "again.csv": (lambda path: as_read_back(path).to_csv(path, index=False), "column Unnamed: 0 is an index of pandas"),
    "twice.csv": (lambda path: path.write_text("z0,x,x\n1,2,3\n"), "has columns of one name"),
    "ragged.csv": (lambda path: path.write_text("z0,x\n1,2\n3\n"), "row 3 has 1 cells, and the head line 2"),
    "hole.csv": (lambda path: path.write_text("z0,x\n1,2\n3,\n"), "factor x has the value nan in row 1"),
    "words.csv": (lambda path: path.write_text("z0,x\n1,cube\n3,ball\n"), "column x holds text, such as cube"),
    "batches.csv": (lambda path: path.write_text("z0,x\n1,1_0\n3,0_1\n"), "column x holds text, such as 1_0"),
    "no_z.csv": (lambda path: path.write_text("a,b\n1,2\n"), "no column of codes; name codes z0, z1"),
    "two_z.csv": (lambda path: path.write_text("z0,z_0,x\n1,2,3\n"), "two columns of one number"),
    "only_z.csv": (lambda path: path.write_text("z0,z1\n1,2\n"), "factors are needed beside codes"),
    "latin.csv": (lambda path: path.write_bytes("z0,größe\n1,2\n".encode("latin-1")), "is no table in UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_file_that_is_none_is_one_line(tmp_path: Path, name: str) -> None:
    write, message = BAD[name]
    write(tmp_path / name)
    with pytest.raises(ValueError, match=message) as caught:
        read_codes(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such file; give an npz or HDF5 file"):
        read_codes(tmp_path / "none.npz")
