"""Cars3D from small archives in exactly the format of the official one, written with tarfile and scipy."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from lrx.core.factors import FactorSpace
from lrx.core.types import FactorDataset
from lrx.data import cars3d as module
from lrx.data.cars3d import FACTORS, cars3d
from tests.conftest import Lrx

ARCHIVE = "nips2015-analogy-data.tar.gz"
SMALL = FactorSpace(FACTORS.names, (2, 3, 3))
RNG = np.random.default_rng(0)
CARS = {
    f"car_{number}_mesh": RNG.integers(0, 256, (128, 128, 3, 3, 2), dtype=np.uint8) for number in ("199", "002", "010")
}
pytestmark = pytest.mark.filterwarnings("ignore:.*is not the file that was published")


def mat(images: np.ndarray, **others: np.ndarray) -> bytes:
    file = io.BytesIO()
    savemat(file, {"im": images, "mask": images[:, :, 0] > 9, **others}, do_compression=True)
    return file.getvalue()


MATS = {name: mat(images) for name, images in CARS.items()}


def write(folder: Path, mats: Mapping[str, bytes] = MATS) -> Path:
    """The archive with the folders of other experiments in it, and a list of the cars, in an order of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    members = {"data/shapes48.mat": b"other", "data/sprites/sprites_1.mat": b"other", "data/cars/list.txt": b"car"}
    members |= {f"data/cars/{name}.mat": content for name, content in mats.items()}
    with tarfile.open(folder / ARCHIVE, "w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FACTORS", SMALL)


def opened(root: Path, size: int = 128) -> FactorDataset:
    return cars3d(root=str(root), size=size)


def test_official_grid() -> None:
    assert dict(zip(FACTORS.names, FACTORS.sizes, strict=True)) == {"elevation": 4, "azimuth": 24, "car": 183}
    assert FACTORS.num_points == 17_568


def test_each_grid_point_shows_its_image(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path))
    given = dataset.raw(torch.arange(18)).numpy()
    for index, (elevation, azimuth, car) in enumerate(SMALL.classes(torch.arange(18)).tolist()):
        expected = CARS[sorted(CARS)[car]][:, :, :, azimuth, elevation]
        assert np.array_equal(given[index], expected.transpose(2, 0, 1))
    assert dataset.class_names == {"car": ("car_002_mesh", "car_010_mesh", "car_199_mesh")}  # type: ignore[attr-defined]
    assert dataset.source == f"official file {ARCHIVE}, checksum not the published one, uncropped, cars by name"


@pytest.mark.parametrize("folder", ["cars", "cars3d/data/cars"])
def test_unpacked_folder(tmp_path: Path, folder: str) -> None:
    archive = opened(write(tmp_path / "packed"))
    (tmp_path / folder).mkdir(parents=True)
    for name, content in MATS.items():
        (tmp_path / folder / f"{name}.mat").write_bytes(content)
        (tmp_path / folder / f"._{name}.mat").write_bytes(b"of another system")
    unpacked = opened(tmp_path)
    assert torch.equal(unpacked.raw(torch.arange(18)), archive.raw(torch.arange(18)))
    assert unpacked.source.startswith("unpacked folder cars, files ")


def test_resize_is_antialiased_bilinear(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path), size=64)
    image = Image.fromarray(CARS["car_002_mesh"][:, :, :, 0, 0]).resize((64, 64), Image.Resampling.BILINEAR)
    assert dataset.observation_shape == (3, 64, 64)
    assert np.array_equal(dataset.raw(torch.tensor([0])).numpy()[0], np.asarray(image).transpose(2, 0, 1))
    again = opened(tmp_path, size=64)
    assert again.fingerprint == dataset.fingerprint


ONE = CARS["car_010_mesh"]


@pytest.mark.parametrize(
    ("mats", "message"),
    [
        ({}, r"holds 0 files of cars \(none\), not 3"),
        (dict(list(MATS.items())[:2]), r"holds 2 files of cars \(car_199_mesh, car_002_mesh\), not 3"),
        (MATS | {"car_300_mesh": MATS["car_002_mesh"]}, "holds more than 3 files of cars"),
        (MATS | {"car_010_mesh": b"MATLAB"}, "car_010_mesh.mat is not a whole MATLAB file"),
        (MATS | {"car_010_mesh": b""}, "car_010_mesh.mat is not a whole MATLAB file"),
        (MATS | {"car_010_mesh": MATS["car_010_mesh"][:20000]}, "car_010_mesh.mat is not a whole MATLAB file"),
        (MATS | {"car_010_mesh": mat(ONE[:64])}, r"no array im uint8 \(128, 128, 3, 3, 2\); it holds im uint8 \(64,"),
        (MATS | {"car_010_mesh": mat(ONE.astype(np.uint16))}, "no array im uint8 .*; it holds im uint16"),
    ],
)
def test_wrong_archives_are_refused_in_one_line(tmp_path: Path, mats: dict[str, bytes], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        opened(write(tmp_path, mats))
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [ARCHIVE]


def test_damaged_archive(tmp_path: Path) -> None:
    path = write(tmp_path) / ARCHIVE
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2], content[:9999] + bytes(999) + content[10998:], b"no archive"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"is damaged or cut off|is not a whole MATLAB file") as caught:
            opened(tmp_path)
        assert "\n" not in str(caught.value)


def test_prepare_as_typed(lrx: Lrx, tmp_path: Path) -> None:
    missing = lrx("prepare", "dataset=cars3d", "dataset.root=here")
    assert missing.returncode == 2
    assert "md5 4e866a7919c1beedf53964e6f7a23686" in missing.stderr
    assert "lrx prepare dataset=cars3d dataset.root=here download=true" in missing.stderr
    write(tmp_path / "here")
    done = lrx("prepare", "dataset=cars3d", "dataset.root=here")
    assert done.returncode == 0, done.stderr
    assert "ready: cars3d, 18 images, official file" in done.stderr
    refused = lrx("prepare", "dataset=cars3d", "dataset.root=here", "dataset.size=small")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("lrx: dataset.size must be a whole number")
