"""CelebA from small files made exactly in the official format."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image

from lrx.core.types import Dataset, FactorDataset, Labelled, Sampled, as_float
from lrx.data import celeba as module
from lrx.data.celeba import ATTRIBUTES, IMAGES, PAGE, PARTITION, celeba, official
from lrx.data.official.celeba_files import FOLDER, decode
from lrx.data.splits import part
from lrx.data.store.pictures import Treatment

N = 6
NAMES = ("5_o_Clock_Shadow", "Bald", "Young")
VALUES = np.array([[-1, 1, 1], [1, -1, 1], [-1, -1, -1], [1, 1, 1], [-1, 1, -1], [1, -1, -1]])
CODES = [0, 0, 1, 2, 0, 2]
pytestmark = pytest.mark.filterwarnings("ignore:.*is not the file that was published")


def jpeg(seed: int, *, width: int = 178, height: int = 218) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, size=(9, 7, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


JPEGS = {f"{FOLDER}/{row + 1:06d}.jpg": jpeg(row) for row in range(N)}


def attributes_text(*, count: int | str = N, names: tuple[str, ...] = NAMES, values: np.ndarray = VALUES) -> str:
    rows = [f"{row + 1:06d}.jpg " + " ".join(f"{value:2d}" for value in line) for row, line in enumerate(values)]
    return "\n".join([str(count), " ".join(names) + " ", *rows, ""])


def partition_text(codes: list[int] = CODES) -> str:
    return "".join(f"{row + 1:06d}.jpg {code}\n" for row, code in enumerate(codes))


def write(
    root: Path,
    *,
    images: Mapping[str, bytes] = JPEGS,
    attributes: str | None = None,
    partition: str | None = None,
    unpacked: bool = False,
) -> str:
    root.mkdir(exist_ok=True)
    (root / ATTRIBUTES).write_text(attributes or attributes_text())
    (root / PARTITION).write_text(partition or partition_text())
    if unpacked:
        (root / FOLDER).mkdir()
        for name, data in images.items():
            (root / name).write_bytes(data)
        return str(root)
    with ZipFile(root / IMAGES, "w") as archive:
        archive.writestr(FOLDER + "/", b"")
        for name, data in images.items():
            archive.writestr(name, data)
    return str(root)


def opened(root: str, **changes):
    return celeba(**({"root": root, "size": 64, "crop": 148, "on_corrupt": "error", "workers": 2} | changes))


def direct(name: str, *, crop: int = 148, size: int = 64) -> np.ndarray:
    """What Pillow itself makes of an image, channel first."""
    left, top = (178 - crop) // 2, (218 - crop) // 2
    whole = Image.open(io.BytesIO(JPEGS[name]))
    square = whole.crop((left, top, left + crop, top + crop)).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square).transpose(2, 0, 1)


def refuse(*args: object) -> np.ndarray:
    raise AssertionError("an image was decoded again")


@pytest.mark.parametrize("unpacked", [False, True])
def test_images_equal_pillow(tmp_path, unpacked):
    dataset = opened(write(tmp_path, unpacked=unpacked))
    assert dataset.observation_shape == (3, 64, 64)
    assert len(dataset) == N
    indices = torch.tensor([5, 0, 3])
    expected = np.stack([direct(f"{FOLDER}/{row + 1:06d}.jpg") for row in indices])
    assert dataset.raw(indices).dtype == torch.uint8
    assert np.array_equal(dataset.raw(indices).numpy(), expected)
    assert torch.equal(as_float(dataset.raw(indices)), torch.from_numpy(expected) / 255)
    for words in ("centre crop 148 x 148", "antialiased bilinear to 64 x 64", FOLDER):
        assert words in dataset.source


def test_crop_without_resize(tmp_path):
    dataset = opened(write(tmp_path), crop=128, size=128)
    whole = np.asarray(Image.open(io.BytesIO(JPEGS[f"{FOLDER}/000001.jpg"])))
    assert np.array_equal(dataset.raw(torch.tensor([0]))[0].numpy(), whole[45:173, 25:153].transpose(2, 0, 1))


def test_attributes_and_partition(tmp_path):
    dataset = opened(write(tmp_path))
    for contract in (Dataset, Labelled, Sampled):
        assert isinstance(dataset, contract)
    assert not isinstance(dataset, FactorDataset)
    assert dataset.sample is None
    assert (dataset.label_names, dataset.label_sizes) == (NAMES, (2, 2, 2))
    indices = torch.tensor([4, 1])
    assert dataset.label_classes(indices).tolist() == ((VALUES[indices] + 1) // 2).tolist()
    assert dataset.label_classes(indices).dtype == torch.int64
    assert dataset.partition.tolist() == CODES
    assert dataset.partition.dtype == torch.int64
    with pytest.raises(IndexError, match=r"no image 6 in celeba: indices run from 0 to 5"):
        dataset.label_classes(torch.tensor([N]))


@pytest.mark.parametrize("ending", ["\r\n", " \n"])
def test_rows_may_end_in_either_way(tmp_path, ending):
    texts = {"attributes": attributes_text(), "partition": partition_text()}
    root = write(tmp_path, **{name: text.replace("\n", ending) for name, text in texts.items()})
    assert opened(root).partition.tolist() == CODES
    assert opened(root).label_classes(torch.arange(N)).tolist() == ((VALUES + 1) // 2).tolist()


def test_parts_of_official_partition(tmp_path):
    dataset = opened(write(tmp_path))
    for code, name in enumerate(("train", "validation", "test")):
        assert part(dataset, name).sample.tolist() == [row for row in range(N) if CODES[row] == code]


def test_second_opening_reads_cache(tmp_path, monkeypatch):
    root = write(tmp_path)
    told = []
    first = opened(root, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (N, N)
    for name in ("decode", "jpegs", "attribute_classes", "split_codes"):
        monkeypatch.setattr(module, name, refuse)
    again = opened(root)
    indices = torch.arange(N)
    assert (again.fingerprint, again.source) == (first.fingerprint, first.source)
    assert torch.equal(again.raw(indices), first.raw(indices))
    assert torch.equal(again.label_classes(indices), first.label_classes(indices))


def test_caches_of_two_sizes_and_changed_zip(tmp_path):
    root = write(tmp_path)
    small, large = opened(root, size=32), opened(root, size=64)
    assert (small.observation_shape, large.observation_shape) == ((3, 32, 32), (3, 64, 64))
    assert len(list(tmp_path.glob(f"{FOLDER}_148_*.json"))) == 2
    write(tmp_path, images=dict(zip(JPEGS, reversed(JPEGS.values()), strict=True)))
    assert torch.equal(opened(root).raw(torch.tensor([0])), large.raw(torch.tensor([N - 1])))


def test_files_in_own_folder(tmp_path):
    write(tmp_path / "celeba")
    assert len(opened(str(tmp_path))) == N
    assert not list(tmp_path.glob("*.json"))


def test_missing_files_message(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"no file of celeba: looked for {IMAGES} or {FOLDER} in") as caught:
        opened(str(tmp_path))
    for words in (str(tmp_path / "celeba"), PAGE, "dataset.root=", "LRX_DATA"):
        assert words in str(caught.value)


def test_official_files():
    files = official(addresses={IMAGES: "https://example.org/zip"})
    assert [(file.name, file.num_bytes) for file in files] == [
        ("img_align_celeba.zip", 1_443_490_838),
        ("list_attr_celeba.txt", 26_721_026),
        ("list_eval_partition.txt", 2_836_386),
    ]
    assert files[0].release.digest == "00d2c5bc6d35e252742224ab0c1e8fcb"
    assert [file.address for file in files] == ["https://example.org/zip", None, None]
    assert {file.page for file in files} == {"http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"}


def test_a_grey_jpeg_has_three_equal_channels():
    file = io.BytesIO()
    Image.new("L", (178, 218), 77).save(file, "JPEG")
    assert (decode(file.getvalue(), "grey.jpg", Treatment(148, 64)) == 77).all()
