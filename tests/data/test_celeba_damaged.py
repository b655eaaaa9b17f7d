"""CelebA with damaged pictures: skipped, counted, and without labels."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from lrx.data import celeba as module
from lrx.data.celeba import IMAGES
from lrx.data.official.celeba_files import FOLDER
from lrx.data.store.picture_stream import stream
from tests.data.test_celeba import CODES, JPEGS, VALUES, direct, opened, refuse, write

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the file that was published")

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
