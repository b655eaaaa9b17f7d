"""Arrays, tensors and torch data sets as data sets: what is kept, what identifies it, what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lrx.core.factors import FactorSpace
from lrx.core.types import Dataset, FactorDataset, Labelled, as_float
from lrx.data.arrays import arrays
from lrx.data.codes import CodesDataset
from lrx.data.grid import GridDataset
from lrx.data.helix import double_helix
from lrx.data.in_memory import as_dataset
from lrx.data.splits import part

RNG = np.random.default_rng(0)
N = 6
COLOUR = RNG.integers(0, 256, (N, 8, 10, 3), dtype=np.uint8)
FIRST = np.ascontiguousarray(COLOUR.transpose(0, 3, 1, 2))  # (N, C, H, W)
LEVELS = np.float32(255)


def shown(dataset: Dataset) -> np.ndarray:
    return dataset.raw(torch.arange(len(dataset))).numpy()


# ------------------------------------------------------------------------------------------------ arrays and tensors


def test_masked_arrays_of_values_that_are_missing() -> None:
    vectors = np.ma.masked_array(RNG.normal(size=(N, 4)))
    assert np.array_equal(shown(as_dataset(vectors)), vectors.data.astype(np.float32))
    vectors[2, 1] = np.ma.masked
    message = r"^a masked array lacks the value at \(2, 1\); leave out or fill"
    for images, classes in ((vectors, None), (vectors.data, np.ma.masked_equal([0, 1, 0, 1, 2, 1], 2)[:, None])):
        with pytest.raises(ValueError, match=message if classes is None else r"lacks the value at \(4, 0\)"):
            as_dataset(images, classes=classes)
    with pytest.raises(ValueError, match=message):
        CodesDataset(vectors, {"a": np.arange(N)}, name="codes", source="memory")
    with pytest.raises(ValueError, match=r"lacks the value at \(3,\)"):
        CodesDataset(vectors.data, {"a": np.ma.masked_equal(np.arange(N), 3)}, name="codes", source="memory")


@pytest.mark.parametrize(
    "images",
    [COLOUR, FIRST, torch.from_numpy(COLOUR), torch.from_numpy(FIRST), np.asfortranarray(COLOUR), COLOUR[::-1][::-1]],
)
def test_uint8_images_of_each_layout(images: object) -> None:
    dataset = as_dataset(images)
    assert isinstance(dataset, Dataset)
    assert not isinstance(dataset, FactorDataset | Labelled)
    assert (dataset.name, dataset.source) == ("images", "array in memory")
    assert dataset.observation_shape == (3, 8, 10)
    assert dataset.raw(torch.arange(2)).dtype == torch.uint8
    assert np.array_equal(shown(dataset), FIRST)
    assert dataset.fingerprint == hashlib.sha256(COLOUR.tobytes()).hexdigest()


def test_fingerprint_is_that_of_the_file(tmp_path: Path) -> None:
    for name, values in (("images", COLOUR), ("grey", COLOUR[..., 0]), ("vectors", RNG.normal(size=(N, 5)))):
        np.save(tmp_path / f"{name}.npy", values)
        settings = {"images": "images", "layout": "auto", "classes": None, "factor_names": None}
        file = arrays(root=str(tmp_path), path=str(tmp_path / f"{name}.npy"), **settings)  # type: ignore[arg-type]
        assert as_dataset(values).fingerprint == file.fingerprint
        assert np.array_equal(shown(as_dataset(values)), shown(file))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_float_images_keep_their_values(dtype: str) -> None:
    images = (FIRST / LEVELS).astype(dtype)
    dataset = as_dataset(images)
    assert dataset.raw(torch.arange(2)).dtype == torch.float32
    assert np.array_equal(shown(dataset), images.astype(np.float32))
    assert torch.equal(as_float(dataset.raw(torch.tensor([4]))), torch.from_numpy(images[[4]].astype(np.float32)))


def test_tensors_of_other_kinds() -> None:
    images = torch.from_numpy(FIRST / LEVELS)
    assert np.array_equal(shown(as_dataset(images.requires_grad_())), FIRST / LEVELS)
    assert np.array_equal(shown(as_dataset(images.bfloat16())), images.bfloat16().float().detach().numpy())
    assert np.array_equal(shown(as_dataset(images.double())), FIRST / LEVELS)


def test_arrays_are_not_copied() -> None:
    for images in (COLOUR.copy(), FIRST.copy(), (FIRST / LEVELS).copy()):
        dataset = as_dataset(images)
        assert np.shares_memory(dataset.pixels, images)  # type: ignore[attr-defined]
        dataset.raw(torch.arange(2)).zero_()  # what is given out is a copy
        assert images.any()


def test_grey_images() -> None:
    grey = COLOUR[..., 0]
    for images in (grey, grey[:, None], grey[..., None]):
        assert np.array_equal(shown(as_dataset(images)), grey[:, None])
    assert as_dataset(RNG.integers(0, 256, (9, 4, 4), dtype=np.uint8)).observation_shape == (1, 4, 4)


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_])
def test_binary_images(dtype: type) -> None:
    binary = RNG.integers(0, 2, (N, 5, 5)).astype(dtype)
    dataset = as_dataset(binary)
    assert np.array_equal(shown(dataset)[:, 0], binary.astype(np.uint8) * 255)
    assert dataset.source == "array in memory, values 0 and 1 taken as 0 and 255"


def test_vectors_keep_their_units() -> None:
    vectors = 100 * RNG.normal(size=(N, 5))
    dataset = as_dataset(vectors, name="voltages")
    assert dataset.name == "voltages"
    assert dataset.observation_shape == (5,)
    assert np.array_equal(shown(dataset), vectors.astype(np.float32))
    assert dataset.fingerprint == hashlib.sha256(vectors.astype(np.float32).tobytes()).hexdigest()


def test_dataset_of_lrx_is_returned() -> None:
    helix = double_helix(num_points=9, noise=0.1, seed=0)
    assert as_dataset(helix) is helix
    with pytest.raises(ValueError, match=r"^classes go with an array; double helix is a data set of lrx"):
        as_dataset(helix, classes=np.zeros(9, int))


def test_split_of_an_array() -> None:
    assert len(part(as_dataset(RNG.random((20, 4), np.float32)), "test").sample) == 4  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------------------- classes


def test_classes_make_labels_or_a_grid() -> None:
    labels = as_dataset(COLOUR, classes=[0, 2, 2, 1, 0, 0], class_names=["digit"])
    assert isinstance(labels, Labelled)
    assert (labels.label_names, labels.label_sizes) == (("digit",), (3,))
    assert labels.label_classes(torch.tensor([1, 3])).tolist() == [[2], [1]]
    order = [4, 2, 0, 5, 1, 3]
    classes = np.indices((2, 3)).reshape(2, -1).T
    grid = as_dataset(COLOUR[order], classes=torch.from_numpy(classes[order]))
    assert isinstance(grid, GridDataset)
    assert grid.factors == FactorSpace(("factor_1", "factor_2"), (2, 3))
    assert np.array_equal(shown(grid), FIRST)
    assert grid.source == "array in memory, sorted by its classes"
    from_one = as_dataset(COLOUR[order], classes=classes[order] + 1)
    assert np.array_equal(shown(from_one), FIRST)
    assert "classes relabelled to 0, 1, ...: factor_1 1, 2; factor_2 1, 2, 3, sorted" in from_one.source


def test_rounding_errors_are_accepted() -> None:
    images = FIRST.astype(np.float32) / LEVELS
    images[0, 0, 0, :2] = 1.0000001, -1e-8
    dataset = as_dataset(images)
    assert shown(dataset)[0, 0, 0, :2].tolist() == [1, 0]
    images[0, 0, 0, :2] = 1.00005, 0
    with pytest.raises(ValueError, match=r"from 0 to 1.00005, which must be"):
        as_dataset(images)


@pytest.mark.parametrize(
    ("classes", "names", "message"),
    [
        (np.zeros(5, int), None, r"^classes has shape \(5,\) and dtype int64; the classes of 6 images have the shape"),
        (np.zeros(6), None, "^classes has shape .*float64; classes are whole numbers"),
        (np.array([0, 1, -1, 0, 0, 0]), None, "^row 2 of classes has the class -1; classes begin at 0"),
        (np.zeros(6, int), ["a", "b"], r"^class_names must be 1 names, one a column of classes, not \['a', 'b'\]"),
        (None, ["a"], "^class_names names the columns of classes: give classes too"),
        ("a", None, "^classes must be whole numbers, as an array, a tensor or a list, not a str"),
    ],
)
def test_invalid_classes(classes: object, names: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_dataset(COLOUR, classes=classes, class_names=names)


# ------------------------------------------------------------------------------------------------------------ refusals

UNIT = FIRST / LEVELS


def with_nan() -> np.ndarray:
    images = UNIT.copy()
    images[4, 0, 0, 0] = np.nan
    return images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (UNIT * 2 - 1, r"float values from -1 to 1, which must be in \[0, 1\]; give \(images \+ 1\) / 2"),
        (FIRST.astype(np.float32), r"float values from 0 to 255, .*; give images / 255"),
        (UNIT * 1000 - 500, r"must be in \[0, 1\]; scale them"),
        (with_nan(), "values that are not finite .*, first at index 4; remove them"),
        (np.array([[1.0, 2.0], [np.inf, 0.0]]), "not finite .*, first at index 1"),
        (np.array([[1e300, 0.0]]), "not finite"),
        (
            COLOUR.astype(np.int64),
            r"dtype int64; images are uint8, bool, or float in \[0, 1\]: give images.astype\(np.uint",
        ),
        (COLOUR.astype(np.int64) - 999, r"dtype int64; images are uint8, bool, or float in \[0, 1\]$"),
        (UNIT.astype(complex), "dtype complex128; images are uint8"),
        (np.zeros((N, 5), np.uint8), r"vectors \(N, P\) are float, and images have the axes"),
        (COLOUR[:0], r"shape \(0, 8, 10, 3\) and are empty"),
        (np.zeros(5), r"shape \(5,\); the axes of images are \(N, H, W\)"),
        (np.zeros((2, 2, 2, 2, 2)), "the axes of images are"),
        (COLOUR[..., :2], r"\(6, 8, 10, 2\); the axes of images are .*where C is 1 or 3"),
        (np.zeros((N, 8, 10, 4), np.uint8), r"RGBA: leave out the transparency, as images\[..., :3\]"),
        (torch.zeros(N, 4, 8, 10), r"RGBA: leave out the transparency, as images\[:, :3\]"),
        (COLOUR[0], r"shape \(8, 10, 3\), which looks like one image \(H, W, C\); give images\[None\]"),
        (np.array([COLOUR[0], COLOUR[1, :5]], dtype=object), "an array of objects, such as arrays of several sizes"),
        (list(COLOUR), r"not a list; give one array, as np.stack\(images\)"),
        (
            DataLoader(TensorDataset(torch.zeros(4, 3))),
            "not a DataLoader; give the data set of the loader, loader.data",
        ),
        ("images.npz", r"not a str; read the file first, as np.load\(path\)"),
        (Path("images.npz"), r"not a PosixPath; read the file first"),
        (None, "images must be a numpy array, a tensor, a torch data set or a data set of lrx, not a NoneType$"),
    ],
)
def test_invalid_images(images: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        as_dataset(images)
    assert "\n" not in str(caught.value)


def test_ambiguous_axes_name_the_transposition() -> None:
    images = RNG.integers(0, 256, (N, 3, 5, 3), dtype=np.uint8)
    message = r"shape \(6, 3, 5, 3\), which may be .*axis 1 .*transpose\(0, 2, 3, 1\).*axis 3 .*transpose\(0, 3, 1, 2\)"
    with pytest.raises(ValueError, match=message):
        as_dataset(images)
    assert np.array_equal(shown(as_dataset(images.transpose(0, 2, 3, 1))), images)
    assert np.array_equal(shown(as_dataset(images.transpose(0, 3, 1, 2))), images.transpose(0, 3, 1, 2))
    assert as_dataset(images[:, :, :3]).observation_shape == (3, 3, 3)
