"""Folders of pictures of which nothing is left out in silence: transparency, orientation, frames, files, labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lrx.core.data_identity import about_data
from lrx.core.types import Labelled
from lrx.data.folder import folder
from lrx.data.store import picture_files
from lrx.data.store.picture_files import natural_order

ORIENTATION = 0x0112
UPRIGHT = np.zeros((16, 8, 3), np.uint8)
UPRIGHT[:4] = 255  # white above
TURNS = {1: 0, 3: 2, 6: 1, 8: 3}  # by orientation: the quarter turns to the left that a camera's pixels have had


def save(path: Path, pixels: np.ndarray, **how: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **how)


def opened(place: Path, **changes):
    settings = {"size": None, "crop": None, "channels": None, "on_corrupt": "error"} | changes
    return folder(root=str(place.parent / "data"), path=str(place), **settings)


def shown(dataset) -> np.ndarray:
    return dataset.raw(torch.arange(len(dataset))).numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("ending", ["jpg", "jfif", "png", "webp", "tiff", "avif"])
def test_orientation_in_every_format(tmp_path: Path, ending: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turned = np.rot90(UPRIGHT, TURNS[orientation]).copy()
    kind = {"jfif": "JPEG", "avif": "AVIF"}.get(ending, Image.registered_extensions()[f".{ending}"])
    lossless = {"jpg": {"quality": 100}, "jfif": {"quality": 100}, "webp": {"lossless": True}}.get(ending, {})
    save(tmp_path / "photos" / f"a.{ending}", turned, format=kind, exif=exif, **lossless)
    (picture,) = shown(opened(tmp_path / "photos"))
    assert picture.shape == UPRIGHT.shape
    assert np.abs(picture.astype(int) - UPRIGHT).mean() < 8  # JPEG and AVIF lose some


@pytest.mark.parametrize(
    ("background", "expected"), [("white", (255, 155, 0)), ("black", (0, 0, 0)), ("#808080", (128, 78, 0))]
)
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparent_pixels_on_background(
    tmp_path: Path, background: str, expected: tuple[int, ...], mode: str
) -> None:
    """A black glyph whose columns have the opacity 0, 100 and 255 of 255; a palette knows 0 and 255 alone."""
    glyph = np.zeros((2, 3, 2), np.uint8)
    glyph[:, 1, 1], glyph[:, 2, 1] = (0 if mode == "P" else 100), 255
    picture = Image.fromarray(glyph, "LA").convert("RGBA" if mode == "P" else mode)
    (tmp_path / "glyphs").mkdir()
    how = {}
    if mode == "P":
        picture, how = Image.fromarray(glyph[:, :, 1] // 255, "P"), {"transparency": 0}
        picture.putpalette([0, 0, 0, 0, 0, 0])
    picture.save(tmp_path / "glyphs" / "a.png", **how)
    dataset = opened(tmp_path / "glyphs", background=background)
    middle = expected[0] if mode == "P" else expected[1]
    assert shown(dataset)[0, 0, :, 0].tolist() == [expected[0], middle, expected[2]]
    assert dataset.remark == f"transparent pixels of 1 image on {background} (dataset.background)"
    assert dataset.remark in dataset.source


def test_opaque_alpha_changes_nothing(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    save(tmp_path / "opaque" / "a.png", pixels)
    dataset = opened(tmp_path / "opaque")
    assert np.array_equal(shown(dataset)[0], pixels[..., :3])
    assert dataset.remark == ""


@pytest.mark.parametrize("ending", ["tif", "gif", "webp", "png"])
def test_frames_are_counted_or_read(tmp_path: Path, ending: str) -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), 50 * frame, np.uint8)) for frame in range(5)]
    (tmp_path / "stacks").mkdir()
    how = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / "stacks" / f"b.{ending}", save_all=True, append_images=frames[1:], **how)
    save(tmp_path / "stacks" / "a.png", np.full((8, 8, 3), 9, np.uint8))
    first = opened(tmp_path / "stacks")
    assert len(first) == 2
    assert first.remark == "left out 4 further frames of 1 file; dataset.frames=all reads them"
    assert first.remark in opened(tmp_path / "stacks").source  # from the cache, too
    every = opened(tmp_path / "stacks", frames="all")
    assert shown(every)[:, 0, 0, 0].tolist() == [9, 0, 50, 100, 150, 200]
    assert every.remark == ""


def test_stray_picture_keeps_labels(tmp_path: Path) -> None:
    place = tmp_path / "animals"
    for name in ("10/a.png", "10/b.png", "2/a.png"):
        save(place / name, UPRIGHT)
    save(place / "preview.png", UPRIGHT)
    dataset = opened(place)
    assert isinstance(dataset, Labelled)
    assert dataset.label_classes(torch.arange(3)).tolist() == [[1], [1], [0]]  # 2 before 10
    assert about_data(dataset)["class_names"] == '{"folder": ["2", "10"]}'
    assert "left out 1 image beside the folders that are labels (preview.png)" in dataset.source
    every = opened(place, labels="none")
    assert (len(every), isinstance(every, Labelled), every.remark) == (4, False, "")
    for number in range(3):
        save(place / f"{number}.png", UPRIGHT)
    mostly_beside = opened(place)
    assert (len(mostly_beside), isinstance(mostly_beside, Labelled)) == (7, False)
    assert mostly_beside.remark.startswith("no labels, as 4 of 7 images lie beside the folders; dataset.labels=folder")
    assert len(opened(place, labels="folder")) == 3
    with pytest.raises(ValueError, match=r"^labels=folder needs images in two folders or more, and there are 0"):
        opened(place / "2", labels="folder")


def test_files_of_other_kinds_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_files, "PLUGINS", {"HEIF": ("no_such_plugin", "")} | {"AVIF": ("pillow_avif", "")})
    place = tmp_path / "mixed"
    save(place / "a" / "1.png", UPRIGHT)
    for name in ("a/1.heic", "a/2.heic", "a/3.svg", "a/README", ".hidden.png"):
        (place / name).write_bytes(b"")
    (place / "b").mkdir()
    (place / "c").symlink_to(place / "a")
    dataset = opened(place)
    assert len(dataset) == 1
    assert dataset.remark == (
        "left out 4 files of another kind (1 without an ending, 2 .heic, 1 .svg), 1 hidden image, 1 linked folder, "
        "1 folder without images (b); .heic can be read after pip install no-such-plugin"
    )


def test_numbers_in_names_sort_by_value() -> None:
    assert natural_order({"img10", "img2", "1", "01", "", "x"}) == ["", "01", "1", "img2", "img10", "x"]


def test_unknown_setting_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", UPRIGHT)
    with pytest.raises(TypeError, match="unexpected keyword argument 'ground'"):
        opened(tmp_path / "a", ground="white")
    with pytest.raises(ValueError, match=r"^background must be a colour such as white, black or '#808080', not 'none'"):
        opened(tmp_path / "a", background="none")
    with pytest.raises(ValueError, match=r"^frames must be one of first, all, not 'last'"):
        opened(tmp_path / "a", frames="last")
