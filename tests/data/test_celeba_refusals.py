"""Files that are not those of CelebA: refused in one line."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from lrx.data.celeba import ATTRIBUTES, IMAGES, PARTITION
from lrx.data.official.celeba_files import FOLDER
from tests.data.test_celeba import CODES, JPEGS, VALUES, attributes_text, jpeg, opened, partition_text, write

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the file that was published")


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
