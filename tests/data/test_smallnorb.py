"""SmallNORB from small files in exactly the format of the official ones, written with struct."""

from __future__ import annotations

import gzip
import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lrx.core.factors import FactorSpace
from lrx.core.types import FactorDataset
from lrx.data import smallnorb as module
from lrx.data.official.norb_matrix import read_rows
from lrx.data.smallnorb import FACTORS, official, smallnorb
from tests.conftest import Lrx

TRAIN, TEST = "smallnorb-5x46789x9x18x6x2x96x96-training", "smallnorb-5x01235x9x18x6x2x96x96-testing"
INSTANCES = {TRAIN: (4, 6), TEST: (0, 5)}
SMALL = FactorSpace(FACTORS.names, (2, 2, 1, 3, 2))
N = SMALL.num_points
pytestmark = pytest.mark.filterwarnings("ignore:.*is not the file that was published")


def labels(stem: str) -> list[tuple[int, ...]]:
    """Category, instance, elevation, azimuth and lighting of each pair, in an order of their own."""
    rows = [*itertools.product((0, 1), INSTANCES[stem], (3,), (0, 2, 34), (0, 5))]
    return [rows[place] for place in np.random.default_rng(len(stem)).permutation(N)]


def images(stem: str) -> np.ndarray:
    return np.random.default_rng(len(stem) + 1).integers(0, 256, size=(N, 2, 96, 96), dtype=np.uint8)


def contents(stem: str) -> dict[str, bytes]:
    categories, info = [row[0] for row in labels(stem)], [value for row in labels(stem) for value in row[1:]]
    return {
        "dat": struct.pack("<6I", 0x1E3D4C55, 4, N, 2, 96, 96) + images(stem).tobytes(),
        "cat": struct.pack("<5I", 0x1E3D4C54, 1, N, 1, 1) + struct.pack(f"<{N}i", *categories),
        "info": struct.pack("<5I", 0x1E3D4C54, 2, N, 4, 1) + struct.pack(f"<{4 * N}i", *info),
    }


def write(folder: Path, *, packed: bool = True, **changes: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem in (TRAIN, TEST):
        for kind, content in (contents(stem) | changes).items():
            if packed:
                (folder / f"{stem}-{kind}.mat.gz").write_bytes(gzip.compress(content, 1))
            else:
                (folder / f"{stem}-{kind}.mat").write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FACTORS", SMALL)


def opened(root: Path, part: str = "all", camera: int = 0, size: int = 96) -> FactorDataset:
    return smallnorb(root=str(root), part=part, camera=camera, size=size)


def test_official_grid() -> None:
    assert FACTORS.num_points == 24_300
    assert dict(zip(FACTORS.names, FACTORS.sizes, strict=True)) == {
        "category": 5,
        "instance": 5,
        "elevation": 9,
        "azimuth": 18,
        "lighting": 6,
    }
    assert [file.name for file in official(part="test")] == [f"{TEST}-{kind}.mat.gz" for kind in ("dat", "cat", "info")]


@pytest.mark.parametrize("camera", [0, 1])
def test_each_grid_point_shows_its_labels(tmp_path: Path, camera: int) -> None:
    dataset = opened(write(tmp_path / "smallnorb").parent, camera=camera)
    expected = {row: images(stem)[place, camera] for stem in (TRAIN, TEST) for place, row in enumerate(labels(stem))}
    assert dataset.factors.sizes == (2, 4, 1, 3, 2)
    assert len(dataset) == 2 * N
    given = dataset.raw(torch.arange(2 * N)).numpy()
    values = [(0, 1), (0, 4, 5, 6), (3,), (0, 2, 34), (0, 5)]
    for index, classes in enumerate(dataset.factors.classes(torch.arange(2 * N)).tolist()):
        row = tuple(value[place] for value, place in zip(values, classes, strict=True))
        assert np.array_equal(given[index, 0], expected[row])
    assert np.array_equal(dataset.raw(torch.tensor([40, 3, 3])).numpy(), given[[40, 3, 3]])
    assert dataset.class_names["azimuth"] == ("0", "20", "340")  # type: ignore[attr-defined]
    assert dataset.class_names["elevation"] == ("45",)  # type: ignore[attr-defined]


def test_unpacked_files_give_the_same_images(tmp_path: Path) -> None:
    packed, unpacked = (opened(write(tmp_path / str(packed), packed=packed), part="train") for packed in (True, False))
    assert packed.fingerprint == unpacked.fingerprint
    assert packed.factors.sizes == SMALL.sizes
    assert packed.fingerprint != opened(tmp_path / "True", part="test").fingerprint
    assert packed.fingerprint != opened(tmp_path / "True", part="train", camera=1).fingerprint


def test_resize_is_antialiased_bilinear(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path), part="train", size=64)
    place = labels(TRAIN).index((0, 4, 3, 0, 0))
    picture = Image.fromarray(images(TRAIN)[place, 0]).resize((64, 64), Image.Resampling.BILINEAR)
    assert dataset.observation_shape == (1, 64, 64)
    assert np.array_equal(dataset.raw(torch.tensor([0])).numpy()[0, 0], np.asarray(picture))
    assert "antialiased bilinear to 64 x 64; camera 0" in dataset.source


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dat": contents(TRAIN)["dat"][:-1]}, r"-dat.mat.gz is cut off"),
        ({"dat": contents(TRAIN)["dat"] + b"x"}, "-dat.mat.gz holds more bytes"),
        ({"dat": contents(TRAIN)["dat"][::-1]}, "-dat.mat.gz is not a NORB matrix"),
        ({"cat": b""}, "-cat.mat.gz is cut off: 0 of the next 8 bytes"),
        ({"dat": contents(TRAIN)["cat"]}, r"-dat.mat.gz has shape \(24,\) and dtype int32, not \(24, 2, 96, 96\)"),
        ({"cat": contents(TRAIN)["cat"][:-4] + b"\2\0\0\0"}, r"has other labels: .*'category': 3.*not .*'category': 2"),
        ({"info": contents(TRAIN)["info"]}, "'instance': 2.*not .*'instance': 4"),
        ({"cat": contents(TRAIN)["cat"][:20] + bytes(4 * N - 4) + b"\1\0\0\0"}, "does not have each combination"),
    ],
)
def test_wrong_files_are_refused_in_one_line(tmp_path: Path, changes: dict[str, bytes], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        opened(write(tmp_path, **changes))
    assert "\n" not in str(caught.value)


def test_damaged_gzip(tmp_path: Path) -> None:
    path = write(tmp_path) / f"{TRAIN}-dat.mat.gz"
    content = bytearray(path.read_bytes())
    for damaged in (content[: len(content) // 2], content[:1000] + bytes(1000) + content[2000:], content[:-8]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"-dat.mat.gz is (damaged or )?cut off") as caught:
            opened(tmp_path)
        assert "\n" not in str(caught.value)


def test_other_number_types_of_the_format(tmp_path: Path) -> None:
    values = np.arange(6, dtype="<i2").reshape(1, 3, 2)
    (tmp_path / "a.mat").write_bytes(struct.pack("<5I", 0x1E3D4C56, 3, 1, 3, 2) + values.tobytes())
    (read,) = read_rows(tmp_path / "a.mat", shape=(1, 3, 2), dtype="<i2", num_rows=1)
    assert np.array_equal(read, values)


def test_prepare_and_refusals_as_typed(lrx: Lrx, tmp_path: Path) -> None:
    missing = lrx("prepare", "dataset=smallnorb", "dataset.part=train", "dataset.root=here")
    assert missing.returncode == 2
    assert f"{TRAIN}-info.mat.gz" in missing.stderr
    assert "md5 51dee1210a742582ff607dfd94e332e3" in missing.stderr
    assert TEST not in missing.stderr
    assert "lrx prepare dataset=smallnorb dataset.part=train dataset.root=here download=true" in missing.stderr
    write(tmp_path / "here")
    done = lrx("prepare", "dataset=smallnorb", "dataset.root=here")
    assert done.returncode == 0, done.stderr
    assert f"ready: smallnorb, {2 * N} images, official file" in done.stderr
    for word, message in (("part=both", "train, test, all"), ("camera=2", "0 or 1"), ("size=0", "at least 1")):
        refused = lrx("prepare", "dataset=smallnorb", f"dataset.{word}", "dataset.root=here")
        assert refused.returncode == 2
        assert f".{word.split('=')[0]} must be" in refused.stderr.splitlines()[-1]
        assert message in refused.stderr.splitlines()[-1]
