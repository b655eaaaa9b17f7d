"""Isaac3D and Falcor3D from small folders in exactly the format of the official ones, written with PIL and numpy."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lrx.core.factors import FactorSpace
from lrx.data import isaac3d as module
from lrx.data.isaac3d import FALCOR3D, ISAAC3D, falcor3d, isaac3d
from tests.conftest import Lrx

SIZES = (2, 1, 1, 1, 3, 1, 1, 1, 2)
LABELS = np.array([*itertools.product(*(np.linspace(0, 1, size) for size in SIZES))])
N = len(LABELS)
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 128, 128, 3), dtype=np.uint8)


def write(root: Path, labels: np.ndarray = LABELS, name: str = "Isaac3D_down128/labels.npy") -> Path:
    path = root / name
    (path.parent / "images").mkdir(parents=True)
    with open(path, "wb") as file:  # np.save adds .npy to another ending
        np.save(file, labels)
    for number, pixels in enumerate(PIXELS[: len(labels)]):
        Image.fromarray(pixels).save(path.parent / "images" / f"{number:06d}.png", compress_level=1)
    return root


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    factors = FactorSpace(ISAAC3D.factors.names, SIZES)
    monkeypatch.setattr(module, "ISAAC3D", dataclasses.replace(ISAAC3D, factors=factors))


def test_official_grids() -> None:
    assert (ISAAC3D.factors.num_points, FALCOR3D.factors.num_points) == (737_280, 233_280)
    # strides of the image numbers as the authors' README has them
    bases = dict(zip(ISAAC3D.factors.names, np.cumprod([1, *ISAAC3D.factors.sizes[:0:-1]])[::-1].tolist(), strict=True))
    assert bases["robot_x"] == 30_720
    assert bases["robot_y"] == 6_144
    assert (bases["lighting_intensity"], bases["lighting_y_dir"], bases["wall_color"]) == (96, 16, 1)


def test_each_grid_point_shows_its_image(tmp_path: Path) -> None:
    dataset = isaac3d(root=str(write(tmp_path)), size=128)
    assert np.array_equal(dataset.raw(torch.arange(N)).numpy(), PIXELS.transpose(0, 3, 1, 2))
    assert dataset.factors.classes(torch.tensor(7)).tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert dataset.source.startswith("unpacked folder Isaac3D_down128 as of ")


def test_labels_in_another_order(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(N)
    dataset = isaac3d(root=str(write(tmp_path / "isaac3d", LABELS[order]).parent), size=64)
    expected = Image.fromarray(PIXELS[order.tolist().index(5)]).resize((64, 64), Image.Resampling.BILINEAR)
    assert np.array_equal(dataset.raw(torch.tensor([5])).numpy()[0], np.asarray(expected).transpose(2, 0, 1))


def test_labels_of_falcor3d(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = (2, 1, 1, 2, 1, 1, 1)
    monkeypatch.setattr(
        module, "FALCOR3D", dataclasses.replace(FALCOR3D, factors=FactorSpace(FALCOR3D.factors.names, sizes))
    )
    labels = np.array([*itertools.product(*(np.linspace(0, 1, size) for size in sizes))])
    dataset = falcor3d(root=str(write(tmp_path, labels, "Falcor3D_down128/train-rec.labels")), size=128)
    assert np.array_equal(dataset.raw(torch.arange(4)).numpy(), PIXELS[:4].transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:-1], r"labels.npy has shape \(11, 9\) and dtype float64, not \(12, 9\)"),
        (LABELS.astype(str), "has shape .* and dtype <U"),
        (LABELS[:, [1, 0, *range(2, 9)]], "has other labels: numbers of values .*'object_shape': 1.*'robot_x': 2"),
        (np.concatenate([LABELS[:-1], LABELS[:1]]), "does not have each combination"),
    ],
)
def test_wrong_labels_are_refused_in_one_line(tmp_path: Path, labels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        isaac3d(root=str(write(tmp_path, labels)), size=128)
    assert "\n" not in str(caught.value)


def test_wrong_images_are_refused_in_one_line(tmp_path: Path) -> None:
    images = write(tmp_path) / "Isaac3D_down128" / "images"
    good = (images / "000011.png").read_bytes()
    (images / "12.png").write_bytes(good)
    with pytest.raises(ValueError, match=r"has 13 files, not 12 images: 12.png is not among them"):
        isaac3d(root=str(tmp_path), size=64)
    (images / "12.png").unlink()
    (images / "000011.png").write_bytes(good[:99])
    with pytest.raises(ValueError, match=r"000011.png is damaged") as caught:
        isaac3d(root=str(tmp_path), size=64)
    assert "\n" not in str(caught.value)
    Image.fromarray(PIXELS[0, :50]).save(images / "000011.png")
    with pytest.raises(ValueError, match=r"000011.png is 128 x 50 pixels, and not a square"):
        isaac3d(root=str(tmp_path), size=64)
    (images / "000011.png").unlink()
    with pytest.raises(ValueError, match=r"has 11 files, not 12 images: 000011.png is missing"):
        isaac3d(root=str(tmp_path), size=64)
    assert [path.name for path in images.parent.iterdir() if path.suffix == ".pixels"] == []


def test_prepare_as_typed(lrx: Lrx, tmp_path: Path) -> None:
    for name in ("isaac3d", "falcor3d"):
        missing = lrx("prepare", f"dataset={name}", "dataset.root=here")
        assert missing.returncode == 2
        assert "published at https://github.com/NVlabs/High-res-disentanglement-datasets" in missing.stderr
    write(tmp_path / "here")
    done = lrx("prepare", "dataset=isaac3d", "dataset.root=here")
    assert done.returncode == 0, done.stderr
    assert "ready: isaac3d, 12 images, unpacked folder Isaac3D_down128" in done.stderr
