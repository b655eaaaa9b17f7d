"""CelebA as Kaggle packs it: one folder of pictures, lists as csv."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest
import torch

from lrx.data.celeba import IMAGES
from lrx.data.official.celeba_files import FOLDER
from tests.data.test_celeba import CODES, JPEGS, NAMES, VALUES, N, opened, write

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the file that was published")


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
