"""Folders of one's own images, made with Pillow."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lrx.core.types import Dataset, FactorDataset, Labelled, Sampled
from lrx.data.folder import folder
from lrx.data.splits import part
from lrx.data.store.picture_reader import PictureReader

RNG = np.random.default_rng(0)
COLOUR = {name: RNG.integers(0, 256, size=(10, 12, 3), dtype=np.uint8) for name in ("b.png", "a.bmp", "c.webp")}
ORIENTATION = 0x0112


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **({"lossless": True} if path.suffix == ".webp" else {}))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three colour images 12 x 10, and what is no image."""
    place = tmp_path / "pictures"
    for name, pixels in COLOUR.items():
        save(place / name, pixels)
    save(place / ".hidden.png", COLOUR["b.png"])
    save(place / ".thumbnails" / "b.png", COLOUR["b.png"])
    (place / "notes.txt").write_text("no image")
    return place


def opened(place: Path, **changes):
    settings = {"size": None, "crop": None, "channels": None, "on_corrupt": "error"} | changes
    return folder(root=str(place.parent / "data"), path=str(place), **settings)


def shown(dataset) -> np.ndarray:
    return dataset.raw(torch.arange(len(dataset))).numpy().transpose(0, 2, 3, 1)


def refuse(*args: object, **settings: object) -> np.ndarray:
    raise AssertionError("an image was decoded again")


def test_pixels_and_order(pictures):
    dataset = opened(pictures)
    assert dataset.observation_shape == (3, 10, 12)
    assert np.array_equal(shown(dataset), np.stack([COLOUR[name] for name in ("a.bmp", "b.png", "c.webp")]))
    assert isinstance(dataset, Dataset)
    assert isinstance(dataset, Sampled)
    assert dataset.sample is None
    assert not isinstance(dataset, Labelled)
    assert not isinstance(dataset, FactorDataset)
    assert dataset.name == "pictures"
    assert dataset.remark == "left out 1 file of another kind (1 .txt), 1 hidden image"
    assert dataset.source == f"images in {pictures}, uncropped, RGB; {dataset.remark}"
    with pytest.raises(IndexError, match="no image -1 in pictures: indices run from 0 to 2"):
        dataset.raw(torch.tensor([-1]))


def test_the_folder_itself_is_left_as_it_is(pictures):
    before = sorted(pictures.rglob("*"))
    opened(pictures)
    assert sorted(pictures.rglob("*")) == before
    assert len(list((pictures.parent / "data" / "converted").glob("pictures-*.json"))) == 1


def test_crop_and_size_are_pillows(pictures):
    square = opened(pictures, crop="square", size=5)
    inner = opened(pictures, crop=4)
    for row, name in enumerate(("a.bmp", "b.png", "c.webp")):
        whole = Image.fromarray(COLOUR[name])
        expected = whole.crop((1, 0, 11, 10)).resize((5, 5), Image.Resampling.BILINEAR)
        assert np.array_equal(shown(square)[row], np.asarray(expected))
        assert np.array_equal(shown(inner)[row], COLOUR[name][3:7, 4:8])
    assert "largest centred square, antialiased bilinear to 5 x 5" in square.source


def test_white_image_stays_white(tmp_path):
    save(tmp_path / "white" / "a.png", np.full((50, 50), 255, dtype=np.uint8))
    assert (shown(opened(tmp_path / "white", size=7)) == 255).all()


def test_grey_images_keep_one_channel(tmp_path):
    grey = RNG.integers(0, 256, size=(6, 6), dtype=np.uint8)
    save(tmp_path / "grey" / "a.png", grey)
    dataset = opened(tmp_path / "grey")
    assert dataset.observation_shape == (1, 6, 6)
    assert np.array_equal(shown(dataset)[0, :, :, 0], grey)
    assert np.array_equal(shown(opened(tmp_path / "grey", channels=3))[0], np.stack([grey] * 3, axis=2))


def test_mixed_channels(pictures):
    save(pictures / "d.png", np.full((10, 12), 9, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"a.bmp is in colour and d.png is grey; set dataset.channels=1 or"):
        opened(pictures)
    assert opened(pictures, channels=1).observation_shape == (1, 10, 12)
    assert (shown(opened(pictures, channels=3))[3] == 9).all()


def test_a_photograph_stands_upright(tmp_path):
    flat = np.zeros((8, 16, 3), dtype=np.uint8)
    flat[:, :8] = 255  # the left half, which is the upper one when the camera is turned clockwise
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    (tmp_path / "photos").mkdir()
    Image.fromarray(flat).save(tmp_path / "photos" / "a.jpg", quality=100, exif=exif)
    (picture,) = shown(opened(tmp_path / "photos"))
    assert picture.shape == (16, 8, 3)
    assert picture[:8].min() > 250
    assert picture[8:].max() < 5


def test_subfolders_are_labels(tmp_path):
    place = tmp_path / "animals"
    for number, name in enumerate(("dog/1.png", "cat/2.png", "cat/deep/3.png", "cat-like/4.png")):
        save(place / name, np.full((4, 4), number, dtype=np.uint8))
    dataset = opened(place)
    assert isinstance(dataset, Labelled)
    assert (dataset.label_names, dataset.label_sizes) == (("folder",), (3,))
    assert shown(dataset)[:, 0, 0, 0].tolist() == [1, 2, 3, 0]  # cat, cat, cat-like, dog
    assert dataset.label_classes(torch.arange(4)).tolist() == [[0], [0], [1], [2]]
    save(place / "5.png", np.zeros((4, 4), dtype=np.uint8))
    assert len(part(dataset, "test").sample) == 1  # a fifth of 4: labels come without a partition
    assert dataset.class_names == {"folder": ("cat", "cat-like", "dog")}


def test_one_sub_folder_is_no_label(tmp_path):
    save(tmp_path / "all" / "images" / "a.png", COLOUR["b.png"])
    assert not isinstance(opened(tmp_path / "all"), Labelled)


def test_a_second_opening_decodes_nothing(pictures, monkeypatch):
    first = opened(pictures)
    monkeypatch.setattr(PictureReader, "decode", refuse)
    again = opened(pictures)
    assert again.fingerprint == first.fingerprint
    assert np.array_equal(shown(again), shown(first))


@pytest.mark.parametrize("change", ["added", "removed", "changed"])
def test_a_changed_folder_is_converted_again(pictures, change):
    first = opened(pictures)
    if change == "added":
        save(pictures / "d.png", COLOUR["b.png"])
    elif change == "removed":
        (pictures / "b.png").unlink()
    else:
        status = (pictures / "a.bmp").stat()
        save(pictures / "a.bmp", 255 - COLOUR["a.bmp"])
        os.utime(pictures / "a.bmp", ns=(status.st_atime_ns, status.st_mtime_ns + 1))  # the size is the same
    again = opened(pictures)
    assert again.fingerprint != first.fingerprint
    assert len(again) == {"added": 4, "removed": 2, "changed": 3}[change]
    assert len(list((pictures.parent / "data" / "converted").glob("*.pixels"))) == 1


def test_a_damaged_image_is_named_or_left_out(pictures):
    (pictures / "a.bmp").write_bytes((pictures / "a.bmp").read_bytes()[:100])
    (pictures / "a0.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"a.bmp is damaged.*dataset.on_corrupt=skip"):
        opened(pictures)
    dataset = opened(pictures, on_corrupt="skip")
    assert np.array_equal(shown(dataset), np.stack([COLOUR["b.png"], COLOUR["c.webp"]]))
    assert "RGB, 2 unreadable images left out; " in dataset.source
    assert "2 unreadable images left out" in dataset.remark
    assert opened(pictures, on_corrupt="skip").fingerprint == dataset.fingerprint
    with pytest.raises(ValueError, match=r"2 images could not be read, a.bmp the first"):
        opened(pictures)


def test_different_sizes(pictures):
    save(pictures / "d.png", np.zeros((9, 9, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"a.bmp is 12 x 10 pixels and d.png is 9 x 9; set dataset.size=64"):
        opened(pictures)
    assert opened(pictures, crop="square", size=8).observation_shape == (3, 8, 8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 8}, "^size=8 would distort a.bmp of 12 x 10 pixels into a square; set dataset.crop=square"),
        ({"crop": 11}, "^crop=11 is larger than a.bmp of 12 x 10 pixels; it can be 1 to 10"),
        ({"crop": "centre"}, "^crop must be a number of pixels, square, or null, not 'centre'"),
        ({"size": 0}, "^size must be a number of pixels, or null, not 0"),
        ({"channels": 4}, "^channels must be 1, 3 or null, not 4"),
        ({"on_corrupt": "no"}, "^on_corrupt must be one of error, skip, not 'no'"),
    ],
)
def test_settings_that_do_not_fit(pictures, settings, message):
    with pytest.raises(ValueError, match=message):
        opened(pictures, **settings)


def test_deep_pixels_are_refused(tmp_path):
    save(tmp_path / "deep" / "a.png", np.full((4, 4), 40_000, dtype=np.uint16))
    with pytest.raises(ValueError, match=r"a.png has pixels of the kind I;16; 8 bits a channel"):
        opened(tmp_path / "deep")


def test_too_many_pixels_without_warning(tmp_path, recwarn):
    save(tmp_path / "large" / "a.bmp", np.zeros((4, 4, 3), dtype=np.uint8))
    data = bytearray((tmp_path / "large" / "a.bmp").read_bytes())
    data[18:26] = (10_000).to_bytes(4, "little") * 2  # up to twice its limit, Pillow only warns
    (tmp_path / "large" / "a.bmp").write_bytes(data)
    warnings.simplefilter("default")
    before = list(warnings.filters)
    with pytest.raises(ValueError, match=r"a.bmp is not opened, its header announces too many pixels: 100,000,000 of"):
        opened(tmp_path / "large")
    assert not recwarn
    assert warnings.filters == before


def test_header_of_too_many_pixels(tmp_path):
    save(tmp_path / "bomb" / "a.bmp", np.zeros((4, 4, 3), dtype=np.uint8))
    data = bytearray((tmp_path / "bomb" / "a.bmp").read_bytes())
    data[18:26] = (60_000).to_bytes(4, "little") * 2
    (tmp_path / "bomb" / "a.bmp").write_bytes(data)
    with pytest.raises(ValueError, match=r"a.bmp is not opened, its header announces too many pixels"):
        opened(tmp_path / "bomb", on_corrupt="skip")


def test_empty_or_missing_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"there are no images in .*empty; they are known by their endings .png"):
        opened(tmp_path / "empty")
    (tmp_path / "mine.npz").touch()
    with pytest.raises(ValueError, match=r"mine.npz is a file, .* is dataset=arrays dataset.path=.*mine.npz"):
        opened(tmp_path / "mine.npz")
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*missing; name your images by dataset.path="):
        opened(tmp_path / "missing")
    save(tmp_path / "broken" / "a.png", COLOUR["b.png"])
    (tmp_path / "broken" / "a.png").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"none of the 1 images in .*broken can be read; the first is a.png"):
        opened(tmp_path / "broken", on_corrupt="skip")
