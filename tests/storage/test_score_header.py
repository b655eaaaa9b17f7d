"""Scores read by the bytes of their headers: as HDF5 reads them, and data sets of any other kind left to HDF5."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
import pytest

from lrx.core.types import AssayResult
from lrx.storage import results
from lrx.storage.hdf5_members import links
from lrx.storage.result_scan import SCORE, scan
from lrx.storage.score_header import ScoreHeader

SCORES = {"mig": 0.1, "none": math.nan, "negative_zero": -0.0, "smallest": 5e-324, "infinite": math.inf}


@pytest.fixture
def header(tmp_path: Path) -> ScoreHeader:
    path, known = tmp_path / "first.h5", ScoreHeader()
    results.write(path, {"metrics": AssayResult({}, {}, {"mig": 0.5})}, {})
    with h5py.File(path) as file:
        known.learn(file.id.get_vfd_handle(), file["metrics/mig"].id)
    return known


def read_all(header: ScoreHeader, path: Path, group: str) -> dict[str, float | None]:
    with h5py.File(path) as file:
        descriptor = file.id.get_vfd_handle()
        members = links(file[group].id)
        return {m.name.decode(): m.address and header.read(descriptor, m.address) for m in members}


def test_scores_of_another_file_to_the_bit(tmp_path: Path, header: ScoreHeader) -> None:
    path = tmp_path / "result.h5"
    results.write(path, {"metrics": AssayResult({}, {}, SCORES, {"remark": "a" * 999})}, {"model": "b" * 5000})
    found = read_all(header, path, "metrics")
    assert np.array([*found.values()]).tobytes() == np.array([*SCORES.values()]).tobytes()
    assert list(found) == list(SCORES) == list(scan(path)[0]["metrics"].scores)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_other_data_sets_are_left_to_hdf5(tmp_path: Path, header: ScoreHeader, libver: str) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w", libver=libver) as file:
        group = file.create_group("metrics")
        for number, value in enumerate((np.float32(1), np.int64(1), np.zeros(1), np.zeros((1, 1)), "text", True)):
            group[f"other_{number}"] = value
        group["big"] = np.array(1.0, dtype=">f8")
        group["described"] = 1.0
        group["described"].attrs["units"] = "1"
        group.create_group("inner")
        group["link"] = h5py.SoftLink("/metrics/big")
    assert set(read_all(header, path, "metrics").values()) == {None}


def test_no_score_without_header_or_beyond_the_file(tmp_path: Path, header: ScoreHeader) -> None:
    path = tmp_path / "result.h5"
    results.write(path, {"metrics": AssayResult({}, {}, SCORES)}, {})
    assert set(read_all(ScoreHeader(), path, "metrics").values()) == {None}
    with path.open("rb") as file:
        assert [header.read(file.fileno(), address) for address in (0, 2**40, 2**63, 2**64 - 1)] == [None] * 4


@pytest.mark.parametrize("size", [512, 4096, 65536])
def test_user_block_shifts_no_address(tmp_path: Path, size: int) -> None:
    """HDF5's addresses begin after a user block; what lies in such a file is neither taken for a score nor learned."""
    genuine, shifted = tmp_path / "result.h5", tmp_path / "shifted.h5"
    results.write(genuine, {"metrics": AssayResult({}, {}, SCORES)}, {})
    scan(genuine)
    with h5py.File(shifted, "w", userblock_size=size) as file:
        file.attrs["format"] = results.FORMAT
        group = file.create_group("metrics")
        group.attrs["provenance"] = "{}"
        for number in range(100):
            group[f"s{number}"] = number + 0.5
    before = vars(SCORE).copy()
    assert scan(shifted)[0]["metrics"].scores == {f"s{number}": number + 0.5 for number in range(100)}
    assert vars(SCORE) == before
    assert scan(genuine)[0]["metrics"].scores["mig"] == SCORES["mig"]


def test_driver_without_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.h5"
    results.write(path, {"metrics": AssayResult({}, {}, {"mig": 0.5})}, {})
    real = h5py.File
    monkeypatch.setattr(results.h5py, "File", lambda path, mode: real(path, mode, driver="core"))
    assert scan(path)[0]["metrics"].scores == {"mig": 0.5}
