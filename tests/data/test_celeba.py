"""CelebA from small files made exactly in the official format."""

from __future__ import annotations

import io
import os
import struct
import threading
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
from lrx.data.store.picture_stream import stream
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


# ------------------------------------------------------------------------------------------------- damaged images

CUT = JPEGS | {f"{FOLDER}/000003.jpg": JPEGS[f"{FOLDER}/000003.jpg"][:900], f"{FOLDER}/000005.jpg": b"not a picture"}


@pytest.mark.parametrize("unpacked", [False, True])
def test_damaged_image(tmp_path, unpacked):
    root = write(tmp_path, images=CUT, unpacked=unpacked)
    with pytest.raises(ValueError, match=r"000003.jpg is damaged.*dataset.on_corrupt=skip") as caught:
        opened(root)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob(f"{FOLDER}_*"))


def test_skipped_images_lose_labels(tmp_path):
    root = write(tmp_path, images=CUT)
    dataset = opened(root, on_corrupt="skip")
    kept = [0, 1, 3, 5]
    assert len(dataset) == 4
    assert dataset.source.endswith(", 2 unreadable images left out")
    assert dataset.label_classes(torch.arange(4)).tolist() == ((VALUES[kept] + 1) // 2).tolist()
    assert dataset.partition.tolist() == [CODES[row] for row in kept]
    expected = np.stack([direct(f"{FOLDER}/{row + 1:06d}.jpg") for row in kept])
    assert np.array_equal(dataset.raw(torch.arange(4)).numpy(), expected)


def test_skipped_images_at_next_opening(tmp_path, monkeypatch):
    root = write(tmp_path, images=CUT)
    first = opened(root, on_corrupt="skip")
    monkeypatch.setattr(module, "decode", refuse)
    again = opened(root, on_corrupt="skip")
    assert (len(again), again.source, again.fingerprint) == (4, first.source, first.fingerprint)
    with pytest.raises(ValueError, match=r"2 images could not be read, 000003.jpg the first"):
        opened(root)


def test_member_with_wrong_checksum(tmp_path):
    root = write(tmp_path)
    whole = (tmp_path / IMAGES).read_bytes()
    place = whole.index(JPEGS[f"{FOLDER}/000002.jpg"]) + 700
    (tmp_path / IMAGES).write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    with pytest.raises(ValueError, match=r"000002.jpg is damaged in .*CRC"):
        opened(root)


def test_all_images_damaged(tmp_path):
    root = write(tmp_path, images=dict.fromkeys(JPEGS, b"no"))
    with pytest.raises(ValueError, match="none of the 6 images can be read"):
        opened(root, on_corrupt="skip")


def test_threads_keep_order():
    later = threading.Event()

    def decode_out_of_order(name: str) -> np.ndarray:
        if name == "0":
            assert later.wait(timeout=30)  # the first image comes last
        if name == "2":
            later.set()
        return np.full((1024, 1024, 3), int(name), dtype=np.uint8)

    blocks = stream(
        [str(row) for row in range(9)],
        decode_out_of_order,
        shape=(1024, 1024, 3),
        on_corrupt="error",
        skipped=[],
        workers=3,
    )
    assert [int(block[0, 0, 0, 0]) for block in blocks] == list(range(9))


# ----------------------------------------------------------------------------------------------------- refusals


def bomb(width: int, height: int) -> bytes:
    """A JPEG whose header announces this size."""
    data = bytearray(jpeg(0))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (JPEGS | {f"{FOLDER}/000004.jpg": jpeg(3, width=200, height=200)}, "000004.jpg is 200 x 200.*not 178 x 218"),
        (JPEGS | {f"{FOLDER}/000004.jpg": bomb(60000, 60000)}, "000004.jpg is not opened.*too many pixels"),
        (JPEGS | {f"{FOLDER}/000004.jpg": bomb(10000, 10000)}, "000004.jpg is not opened.*too many pixels"),
        (JPEGS | {f"{FOLDER}/000004.jpg": b"\xff" * (1 << 20) + b"\xff"}, "1,048,577 bytes, more than any image"),
        (JPEGS | {"../000007.jpg": jpeg(6)}, r"holds 7 files.* 6 images: '../000007.jpg' is not among them"),
        (JPEGS | {f"{FOLDER}/000007.jpg": jpeg(6)}, "holds 7 files.*000007.jpg' is not among them"),
        (dict(list(JPEGS.items())[:-1]), "holds 5 files.*000006.jpg' is missing"),
        ({Path(name).name: data for name, data in JPEGS.items()}, "'000001.jpg' is not among them, 'img_align_celeba"),
    ],
)
def test_another_zip_is_refused_in_one_line(tmp_path, images, message):
    root = write(tmp_path, images=images)
    with pytest.raises(ValueError, match=message) as caught:
        opened(root, on_corrupt="skip")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob(f"{FOLDER}_*"))
    assert not (tmp_path.parent / "000007.jpg").exists()


@pytest.mark.parametrize("name", [IMAGES, ATTRIBUTES, PARTITION])
def test_web_page_in_place_of_file(tmp_path, name):
    root = write(tmp_path)
    (tmp_path / name).write_text("\n<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>")
    with pytest.raises(ValueError, match=rf"{name} is a web page, not the file.*Google Drive.*fetch the real one"):
        opened(root)


def test_a_cut_zip_is_recognised(tmp_path):
    root = write(tmp_path)
    os.truncate(tmp_path / IMAGES, 5000)
    with pytest.raises(ValueError, match=r"not a whole zip file.*\(5,000 bytes are there\): fetch it again"):
        opened(root)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"attributes": attributes_text(count=7)}, "has rows of 6 images, not of 7"),
        ({"attributes": attributes_text(count="Bald")}, "begins with 'Bald', not with the number"),
        ({"attributes": attributes_text(names=("Bald", "Bald", "Young"))}, "names of the attributes, each once"),
        ({"attributes": attributes_text(values=VALUES[:, :2])}, "row 1 of the images has 2 values, not 3"),
        ({"attributes": attributes_text(values=VALUES * 2)}, "row 1 of the images has the value '-2'.* are -1, 1"),
        (
            {"attributes": attributes_text().replace("000002", "000009")},
            "begins with '000009.jpg', not with 000002.jpg",
        ),
        ({"partition": partition_text([0, 0, 1, 3, 0, 2])}, "row 4 of the images has the value '3'.* are 0, 1, 2"),
        ({"partition": partition_text(CODES[:5])}, "has rows of 5 images, not of 6"),
    ],
)
def test_wrong_lists_are_refused_in_one_line(tmp_path, texts, message):
    root = write(tmp_path, **texts)
    with pytest.raises(ValueError, match=message) as caught:
        opened(root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"crop": 179}, "^crop must be a number of pixels from 1 to 178, not 179"),
        ({"size": 0}, "^size must be a number of pixels, at least 1, not 0"),
        ({"on_corrupt": "ignore"}, "^on_corrupt must be one of error, skip, not 'ignore'"),
        ({"workers": 0}, "^workers must be a number of threads, at least 1, or null, not 0"),
    ],
)
def test_settings_are_checked_before_files(tmp_path, setting, message):
    with pytest.raises(ValueError, match=message):
        opened(str(tmp_path), **setting)


def test_another_checksum_is_a_warning(tmp_path):
    root = write(tmp_path)
    with pytest.warns(UserWarning, match="is not the file that was published") as caught:
        dataset = opened(root)
    assert {Path(str(warning.message).split(" is not")[0]).name for warning in caught} == {
        IMAGES,
        ATTRIBUTES,
        PARTITION,
    }
    assert "checksum not the published one" in dataset.source


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


def write_kaggle(root: Path, *, packed: bool) -> str:
    """Kaggle's edition: csv lists with a line of names, and the folder of images in one of the same name."""
    root.mkdir(exist_ok=True)
    rows = [f"{row + 1:06d}.jpg,{','.join(map(str, line))}" for row, line in enumerate(VALUES)]
    (root / "list_attr_celeba.csv").write_text("\n".join([",".join(("image_id", *NAMES)), *rows, ""]))
    codes = [f"{row + 1:06d}.jpg,{code}" for row, code in enumerate(CODES)]
    (root / "list_eval_partition.csv").write_text("\n".join(["image_id,partition", *codes, ""]))
    if packed:
        with ZipFile(root / IMAGES, "w") as archive:
            for name, data in JPEGS.items():
                archive.writestr(f"{FOLDER}/{name}", data)
    else:
        (root / FOLDER / FOLDER).mkdir(parents=True)
        for name, data in JPEGS.items():
            (root / FOLDER / name).write_bytes(data)
    return str(root)


@pytest.mark.parametrize("packed", [False, True])
def test_kaggle_edition_gives_same_data(tmp_path, packed):
    ours, theirs = opened(write(tmp_path / "official")), opened(write_kaggle(tmp_path / "kaggle", packed=packed))
    everything = torch.arange(N)
    assert torch.equal(ours.raw(everything), theirs.raw(everything))
    assert torch.equal(ours.label_classes(everything), theirs.label_classes(everything))
    assert (theirs.label_names, theirs.partition.tolist()) == (NAMES, CODES)
    assert theirs.fingerprint == ours.fingerprint
    assert sorted(path.name for path in (tmp_path / "kaggle").glob("*.json"))[0] == f"{FOLDER}_148_64.json"


def test_kaggle_lists_that_do_not_fit(tmp_path):
    root = write_kaggle(tmp_path, packed=True)
    file = tmp_path / "list_attr_celeba.csv"
    text = file.read_text()
    file.write_text(text.replace("000002.jpg,1,", "000002.jpg,2,"))
    with pytest.raises(ValueError, match=r"row 2 of the images has the value '2'; valid values are -1, 1"):
        opened(root)
    file.write_text(text.replace("image_id,", "image_id;"))
    with pytest.raises(ValueError, match=r"row 1 of the images has 3 values, not 2"):
        opened(root)


def test_packed_kaggle_edition_is_named(tmp_path):
    (tmp_path / "archive.zip").touch()
    with pytest.raises(FileNotFoundError, match=r"archive.zip looks like Kaggle's edition; unpack it where it lies"):
        opened(str(tmp_path))
