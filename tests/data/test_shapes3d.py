"""3D Shapes from small files made exactly in the official format, and from rendered geometries."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from lrx.core.factors import FactorSpace
from lrx.core.types import as_float
from lrx.data import shapes3d as module
from lrx.data.render.compose import ComposedPixels
from lrx.data.render.shapes3d import NUM_GEOMETRIES, NUM_MAPS
from lrx.data.shapes3d import FACTORS, FILE, from_file, shapes3d

SMALL = FactorSpace(names=FACTORS.names, sizes=(2, 1, 2, 3, 4, 2))
N = SMALL.num_points
IMAGES = np.random.default_rng(0).integers(0, 256, size=(N, 64, 64, 3), dtype=np.uint8)
LABELS = SMALL.classes(torch.arange(N)).numpy() * [0.1, 0.1, 0.1, 0.5 / 7, 1, 60 / 14] + [0, 0, 0, 0.75, 0, -30]
pytestmark = pytest.mark.filterwarnings("ignore:.*is not the file that was published")


def write(path: Path, *, images: np.ndarray = IMAGES, labels: np.ndarray = LABELS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, chunks=(min(40, len(images)), 8, 8, 3), compression="gzip")
        file["labels"] = labels
    return path


def test_the_grid_is_that_of_the_official_file():
    assert FACTORS.num_points == 480_000
    assert dict(zip(FACTORS.names, FACTORS.sizes, strict=True)) == {
        "floor_hue": 10,
        "wall_hue": 10,
        "object_hue": 10,
        "scale": 8,
        "shape": 4,
        "orientation": 15,
    }


def test_a_file_gives_its_images_channel_first(tmp_path):
    told = []
    dataset = from_file(write(tmp_path / FILE), SMALL, lambda done, total: told.append((done, total)))
    indices = torch.tensor([N - 1, 0, 17])
    assert dataset.observation_shape == (3, 64, 64)
    assert np.array_equal(dataset.raw(indices).numpy(), IMAGES[indices.numpy()].transpose(0, 3, 1, 2))
    assert as_float(dataset.raw(indices)).max() <= 1
    assert dataset.source == f"official file {FILE}, checksum not the published one"
    assert told[-1] == (N, N)
    assert from_file(tmp_path / FILE, SMALL).fingerprint == dataset.fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES[:-1]}, rf"'images' has shape \({N - 1}, 64, 64, 3\).*not \({N}, 64, 64, 3\)"),
        ({"images": IMAGES / 255.0}, "dtype float64, not .* uint8"),
        ({"labels": LABELS[:, :5]}, rf"'labels' has shape \({N}, 5\)"),
        ({"labels": LABELS[:, [0, 1, 2, 3, 5, 4]]}, "is not in the order of its factors"),
        ({"labels": LABELS[::-1].copy()}, r"image 0 has the classes \[1, 0, 1, 2, 3, 1\], not \[0, 0, 0, 0, 0, 0\]"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        from_file(write(tmp_path / FILE, **changes), SMALL)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.fixture
def few_maps(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """As if the renderer gave these maps."""
    shape = (NUM_GEOMETRIES, NUM_MAPS, 64, 64)
    maps = np.broadcast_to(np.arange(NUM_GEOMETRIES, dtype=np.int16)[:, None, None, None], shape)
    monkeypatch.setattr(module, "render_geometries", lambda progress: maps)
    return maps


def test_rendered_geometries_cache(tmp_path, few_maps, monkeypatch):
    dataset = shapes3d(root=str(tmp_path), source="auto")
    indices = torch.tensor([0, 479, 480, 479_999, 123_456])
    assert dataset.source == "rendered"
    assert dataset.observation_shape == (3, 64, 64)
    assert np.array_equal(dataset.raw(indices).numpy(), ComposedPixels(np.ascontiguousarray(few_maps))[indices.numpy()])
    monkeypatch.setattr(module, "render_geometries", None)  # a second opening does not render
    assert shapes3d(root=str(tmp_path), source="rendered").fingerprint == dataset.fingerprint
    assert sum(path.stat().st_size for path in (tmp_path / "rendered").iterdir()) < 90e6


@pytest.mark.usefixtures("few_maps")
def test_the_file_comes_before_the_renderer(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FACTORS", SMALL)
    write(tmp_path / "3dshapes" / FILE)
    assert shapes3d(root=str(tmp_path), source="auto").source.startswith(f"official file {FILE}")


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no official file of 3dshapes: looked for 3dshapes.h5 in .*=rendered"):
        shapes3d(root=str(tmp_path), source="file")
