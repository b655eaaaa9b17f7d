"""Picture files that are damaged, or deeper than their first page."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lrx.data.store.pictures import Treatment, Unreadable, open_picture
from tests.data.test_folder import COLOUR, RNG, opened, save, shown
from tests.data.test_folder import pictures as pictures


def test_further_page_of_more_than_8_bits(tmp_path: Path) -> None:
    first, second = (RNG.integers(0, 256, (8, 8)).astype(kind) for kind in (np.uint8, np.uint16))
    (tmp_path / "pages").mkdir()
    pages = [Image.fromarray(256 * second)]  # Pillow converts 16 bits to grey by cutting them at 255
    Image.fromarray(first).save(tmp_path / "pages" / "a.tif", save_all=True, append_images=pages)
    assert np.array_equal(shown(opened(tmp_path / "pages", channels=1))[0, ..., 0], first)
    with pytest.raises(ValueError, match=r"^a\.tif frame 2 has pixels of the kind I;16; 8 bits a channel"):
        opened(tmp_path / "pages", channels=1, frames="all")


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_deep_colours_are_refused(tmp_path: Path, name: str, channels: int) -> None:
    (tmp_path / "deep").mkdir()  # 12 bits in 16, of which Pillow takes the upper 8: at most 15
    cv2.imwrite(str(tmp_path / "deep" / name), RNG.integers(0, 4096, (8, 8, channels)).astype(np.uint16))
    with pytest.raises(ValueError, match=rf"^{name} has pixels of the kind RGBA?;16.; 8 bits a channel"):
        opened(tmp_path / "deep")


def test_png_with_damaged_pixels(pictures: Path) -> None:
    file = pictures / "b.png"
    content = bytearray(file.read_bytes())
    content[content.index(b"IDAT") + 40] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"^b\.png is damaged: broken data stream .*set dataset.on_corrupt=skip"):
        opened(pictures)
    skipped = opened(pictures, on_corrupt="skip")
    assert np.array_equal(shown(skipped), [COLOUR["a.bmp"], COLOUR["c.webp"]])
    with open_picture(bytes(content), "b.png", formats=("PNG",)) as picture, pytest.raises(Unreadable):
        Treatment(None, None).pixels(picture, "b.png", channels=3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("frames", ["first", "all"])
def test_cut_file_of_several_pages(tmp_path: Path, frames: str) -> None:
    first, *others = (Image.fromarray(RNG.integers(0, 256, (32, 32), dtype=np.uint8)) for _ in range(5))
    (tmp_path / "pages").mkdir()
    file = tmp_path / "pages" / "a.tif"
    first.save(file, save_all=True, append_images=others)
    save(tmp_path / "pages" / "b.png", np.asarray(first))
    os.truncate(file, file.stat().st_size * 4 // 5)  # Pillow would give the last page whose header is there
    with pytest.raises(ValueError, match=r"^a\.tif is damaged: its frames cannot be counted .*on_corrupt=skip"):
        opened(tmp_path / "pages", frames=frames)
    assert np.array_equal(shown(opened(tmp_path / "pages", frames=frames, on_corrupt="skip"))[..., 0], [first])
