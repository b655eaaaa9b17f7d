"""Parquet with images, as the Hugging Face hub has it: a file of its own package, and files written with pyarrow."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet as pq

from lrx.core.types import FactorDataset, Labelled
from lrx.core.validation import SettingError
from lrx.data.parquet import parquet
from tests.conftest import Lrx

# written by datasets 5.2.0: image, label_shape (cube, sphere), label_scale (3 classes), value_scale
HUB = Path(__file__).parent / "hub_shapes.parquet"
HUB_ROWS = [(1, 0), (0, 2), (1, 2), (1, 1), (0, 0), (0, 1)]
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 5, 5, 3), dtype=np.uint8)


def opened(path: Path | str, root: Path, **changes):
    settings = {"image": None, "classes": "auto", "crop": None, "size": None, "channels": None, "background": "white"}
    return parquet(root=str(root), path=str(path), **settings | changes)


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


IMAGES = [{"bytes": encoded(pixels), "path": None} for pixels in PIXELS]


def write(path: Path, rows: slice = slice(None), **columns: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"image": IMAGES} | columns
    pq.write_table(pa.table({name: values[rows] for name, values in given.items()}), path, row_group_size=2)
    return path


def shown(dataset) -> np.ndarray:
    return dataset.raw(torch.arange(len(dataset))).numpy().transpose(0, 2, 3, 1)


def test_file_of_the_hub(tmp_path: Path) -> None:
    dataset = opened(HUB, tmp_path)
    assert isinstance(dataset, FactorDataset)
    assert (dataset.factors.names, dataset.factors.sizes) == (("label_shape", "label_scale"), (2, 3))
    assert dataset.class_names == {"label_shape": ("cube", "sphere")}
    assert "not read: value_scale" in dataset.remark
    for (shape, scale), image in zip(dataset.factors.classes(torch.arange(6)).tolist(), shown(dataset), strict=True):
        assert image[4, 4].tolist() == [100 * shape, 50 * scale, 0]


def test_values_are_ranked(tmp_path: Path) -> None:
    dataset = opened(HUB, tmp_path, classes=["value_scale", "label_shape"])
    assert dataset.factors.sizes == (3, 2)
    assert dataset.class_names["value_scale"] == ("0.5", "0.75", "1.0")
    assert shown(dataset)[5, 4, 4].tolist() == [100, 100, 0]


def test_shards_in_order_and_labels(tmp_path: Path) -> None:
    labels = ["b10", "b2", "b2", "a", "b10", "a"]
    for number in range(3):
        name = f"train-{number:05d}-of-00003.parquet"
        write(tmp_path / "data" / name, slice(2 * number, 2 * number + 2), word=labels, number=[0, 1, 0, 1, 0, 1])
    dataset = opened(tmp_path / "data", tmp_path, classes=["word", "number"])
    assert np.array_equal(shown(dataset), PIXELS)
    assert isinstance(dataset, Labelled)
    assert dataset.label_classes(torch.arange(6))[:, 0].tolist() == [2, 1, 1, 0, 2, 0]
    assert dataset.class_names["word"] == ("a", "b2", "b10")
    assert opened(tmp_path / "data" / "*-of-*", tmp_path, classes="none").fingerprint != dataset.fingerprint
    (tmp_path / "data" / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(ValueError, match="has 2 of the 3 shards of train"):
        opened(tmp_path / "data", tmp_path)


# names of files on the hub: with a checksum, of the viewer's conversion, and written by hand
@pytest.mark.parametrize(
    ("train", "test", "path"),
    [
        ("train-00000-of-00001-566cc9b19d7203f8", "test-00000-of-00001-dfb0d9df7ebab67e", "**/test-*"),
        ("default/train/0000", "default/test/0000", "test"),
        ("train", "test", "**/*test*"),
        ("images_training_1", "images-eval.2", "**/*eval*"),
    ],
)
def test_splits_by_names_of_files_and_folders(tmp_path: Path, train: str, test: str, path: str) -> None:
    write(tmp_path / "hub" / f"{train}.parquet", slice(0, 4))
    write(tmp_path / "hub" / f"{test}.parquet", slice(4, 6))
    with pytest.raises(SettingError, match="gives the splits test, train; name one") as caught:
        opened(tmp_path / "hub", tmp_path)
    named = str(caught.value).partition("dataset.path='")[2].rstrip("'")
    top = tmp_path / "hub" / "default" if path == "test" else tmp_path / "hub"
    assert named == str(top / path)
    assert np.array_equal(shown(opened(named, tmp_path)), PIXELS[4:])


def test_names_without_a_split_are_read_together(tmp_path: Path) -> None:
    for number, name in enumerate(("latest", "0001", "trained_on")):  # no word of a split by itself
        write(tmp_path / "test" / f"{name}.parquet", slice(2 * number, 2 * number + 2))
    assert len(opened(tmp_path / "test", tmp_path)) == 6  # nor is a folder that all have in common


def test_missing_and_doubled_shards(tmp_path: Path) -> None:
    write(tmp_path / "train-00000-of-00002-566cc9b19d7203f8.parquet", slice(0, 3))
    with pytest.raises(ValueError, match="has 1 of the 2 shards of train"):
        opened(tmp_path, tmp_path)
    write(tmp_path / "copy" / "train-00000-of-00002.parquet", slice(0, 3))
    with pytest.raises(ValueError, match="has 1 of the 2 shards of train"):
        opened(tmp_path, tmp_path)
    write(tmp_path / "copy" / "train-00001-of-00002.parquet", slice(3, 6))
    with pytest.raises(ValueError, match="gives shards of train twice: 3 files of 2 numbers"):
        opened(tmp_path, tmp_path)


def test_pixels_of_several_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrx.data.store.parquet_files.NUM_ROWS", 3)
    monkeypatch.setattr("lrx.data.store.picture_stream.BLOCK_BYTES", 2 * 75)
    columns = {"image": [encoded(pixels) for pixels in PIXELS], "index": [*range(6)]}
    dataset = opened(write(tmp_path / "a.parquet", **columns), tmp_path)  # bytes alone, without a struct
    assert np.array_equal(shown(dataset), PIXELS)
    again = opened(tmp_path / "a.parquet", tmp_path)
    assert again.fingerprint == dataset.fingerprint


def test_treatment_and_transparency(tmp_path: Path) -> None:
    clear = np.dstack([PIXELS[0], np.zeros((5, 5), dtype=np.uint8)])
    path = write(tmp_path / "a.parquet", image=[{"bytes": encoded(clear)}, *IMAGES[1:]])
    dataset = opened(path, tmp_path, size=2, crop=4, background="black", channels=3)
    assert dataset.observation_shape == (3, 2, 2)
    assert not shown(dataset)[0].any()
    assert "transparent pixels of 1 image on black" in dataset.remark


def test_numbers_of_rows_and_coordinates_are_no_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", id=[*range(6)], x=[-1, 0, 1] * 2, even=[True, False] * 3)
    dataset = opened(path, tmp_path)
    assert isinstance(dataset, Labelled)
    assert dataset.label_names == ("even",)
    assert dataset.class_names == {"even": ("False", "True")}
    assert dataset.remark == "columns of classes: even; not read: id, x (dataset.classes=[...] reads them)"


def test_index_of_pandas_is_no_class(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"image": IMAGES, "shape": [0, 1, 1] * 2}, index=[0, 1, 2] * 2)  # as pandas.concat has it
    frame.to_parquet(tmp_path / "a.parquet")
    dataset = opened(tmp_path / "a.parquet", tmp_path)
    assert isinstance(dataset, Labelled)
    assert dataset.label_names == ("shape",)
    assert "not read: __index_level_0__" in dataset.remark


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({}, {"image": "picture"}, "image=picture is none of them"),
        ({"image": [*range(6)]}, {}, "has no column of images .*; its columns are image"),
        ({"mask": IMAGES}, {}, "has the columns of images image, mask.*set dataset.image"),
        ({"image": [*IMAGES[:5], None]}, {}, "row 5 of 'image' holds no image"),
        ({"image": [*IMAGES[:5], {"bytes": None, "path": "a.png"}]}, {}, "no image, only the path 'a.png'"),
        ({"image": [*IMAGES[:5], {"bytes": b"text", "path": ""}]}, {}, "row 5 is no readable picture"),
        ({"image": [*IMAGES[:5], {"bytes": IMAGES[0]["bytes"][:60]}]}, {}, "row 5 is damaged"),
        ({"image": [*IMAGES[:5], {"bytes": encoded(PIXELS[0, :3])}]}, {}, "5 x 5 pixels and .* row 5 is 5 x 3"),
        ({"a": [0, 1, 2, 3, 4, None]}, {}, "column 'a' has 1 rows without a value"),
        ({"a": [0, 1, 2, 3, 4, -1]}, {"classes": ["a"]}, "row 5 of a has the class -1"),
        ({"a": [0.0, 1, 2, 3, 4, np.nan]}, {"classes": ["a"]}, "the value nan, which is no class"),
        ({"a": [[0]] * 6}, {"classes": ["a"]}, "column 'a' is list.*; classes are numbers or texts"),
        ({"a": [0] * 6}, {"classes": ["b"]}, "b is no column; the columns are image, a"),
        ({"a": [0] * 6}, {"classes": "a"}, "classes must be auto, none or a list"),
        ({}, {"channels": 2}, "channels must be 1, 3 or null"),
    ],
)
def test_wrong_columns_are_refused_in_one_line(tmp_path: Path, columns: dict, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        opened(write(tmp_path / "a.parquet", **columns), tmp_path, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a whole parquet file"),
        (b"PAR1" + bytes(99), "not a whole parquet file"),
        (HUB.read_bytes()[:-50], "not a whole parquet file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a pointer of Git LFS.*git lfs pull"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        opened(tmp_path / "a.parquet", tmp_path)
    assert "\n" not in str(caught.value)


def test_as_typed(lrx: Lrx, tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "data").mkdir(exist_ok=True)
        shutil.copy(HUB, tmp_path / "data" / f"{split}-00000-of-00001.parquet")
    refused = lrx("prepare", "dataset=parquet", "dataset.path=data")
    assert refused.returncode == 2
    line = refused.stderr.splitlines()[-1]
    assert line == "lrx: dataset.path=data gives the splits test, train; name one, as in dataset.path='data/**/test-*'"
    done = lrx("prepare", "dataset=parquet", "dataset.path=data/**/test-*")
    assert done.returncode == 0, done.stderr
    assert "ready: test, 6 images, column image of 1 parquet file" in done.stderr
    missing = lrx("prepare", "dataset=parquet", "dataset.path=elsewhere")
    assert missing.returncode == 2
    assert missing.stderr.splitlines()[-1].startswith("lrx: there is no parquet file at elsewhere; name a file")
