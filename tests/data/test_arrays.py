"""One's own arrays in npz, npy and HDF5 files."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from lrx.core.data_identity import observations_fingerprint
from lrx.core.factors import FactorSpace
from lrx.core.types import Dataset, FactorDataset, Labelled, Sampled, as_float
from lrx.data import arrays as module
from lrx.data.arrays import arrays
from lrx.data.correlation import with_correlation
from lrx.data.grid import GridDataset
from lrx.data.store import array_file, npz

RNG = np.random.default_rng(0)
N = 6
COLOUR = RNG.integers(0, 256, size=(N, 8, 10, 3), dtype=np.uint8)
GRID = FactorSpace(names=("row", "column"), sizes=(2, 3)).classes(torch.arange(N)).numpy()


def write(folder: Path, kind: str = "npz", **named: np.ndarray) -> Path:
    path = folder / f"mine.{kind}"
    if kind == "npy":
        np.save(path, named["images"], allow_pickle=False)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            for name, array in named.items():
                file[name] = array
    else:
        np.savez_compressed(path, **named)
    return path


def opened(path: Path, **changes):
    settings = {"images": "images", "layout": "auto", "classes": None, "factor_names": None} | changes
    return arrays(root=str(path.parent / "data"), path=str(path), **settings)


def shown(dataset) -> np.ndarray:
    return dataset.raw(torch.arange(len(dataset))).numpy()


def refuse(*args: object) -> np.ndarray:
    raise AssertionError("the array was read again")


@pytest.mark.parametrize("kind", ["npz", "npy", "h5"])
def test_images_of_each_kind_of_file(tmp_path, kind, monkeypatch):
    path = write(tmp_path, kind, images=COLOUR)
    told = []
    dataset = opened(path, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (N, N)
    assert dataset.observation_shape == (3, 8, 10)
    assert np.array_equal(shown(dataset), COLOUR.transpose(0, 3, 1, 2))
    assert (dataset.name, dataset.source) == ("mine", f"array 'images' of mine.{kind}")
    assert isinstance(dataset, Dataset)
    assert isinstance(dataset, Sampled)
    assert dataset.sample is None
    assert not isinstance(dataset, Labelled)
    assert not isinstance(dataset, FactorDataset)
    monkeypatch.setattr(module, "pixel_blocks", refuse)
    assert opened(path).fingerprint == dataset.fingerprint


def test_arrays_larger_than_a_piece_come_whole(tmp_path):
    images = RNG.integers(0, 256, size=(20, 1024, 1024), dtype=np.uint8)
    dataset = opened(write(tmp_path, "npy", images=images))
    assert np.array_equal(dataset.raw(torch.tensor([0, 7, 8, 19]))[:, 0].numpy(), images[[0, 7, 8, 19]])


def test_layouts(tmp_path):
    grey = COLOUR[..., 0]
    for images, settings in (
        (COLOUR, {}),
        (COLOUR.transpose(0, 3, 1, 2), {}),
        (COLOUR, {"layout": "channels_last"}),
        (COLOUR.transpose(0, 3, 1, 2), {"layout": "channels_first"}),
    ):
        assert np.array_equal(shown(opened(write(tmp_path, images=images), **settings)), COLOUR.transpose(0, 3, 1, 2))
    for images in (grey, grey[:, None], grey[..., None]):
        assert np.array_equal(shown(opened(write(tmp_path, images=images))), grey[:, None])


def test_ambiguous_layout(tmp_path):
    images = RNG.integers(0, 256, size=(N, 3, 5, 1), dtype=np.uint8)
    path = write(tmp_path, images=images)
    with pytest.raises(ValueError, match=r"\(6, 3, 5, 1\), both.*; set dataset.layout=channels_first or channels_last"):
        opened(path)
    assert np.array_equal(shown(opened(path, layout="channels_first")), images)
    assert np.array_equal(shown(opened(path, layout="channels_last")), images.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_])
def test_zeros_and_ones_become_black_and_white(tmp_path, dtype):
    binary = RNG.integers(0, 2, size=(N, 4, 4)).astype(dtype)
    path = write(tmp_path, images=binary)
    for _ in range(2):  # the second opening reads nothing, and says the same
        dataset = opened(path)
        assert np.array_equal(shown(dataset)[:, 0], binary.astype(np.uint8) * 255)
        assert dataset.source == "array 'images' of mine.npz, values 0 and 1 taken as 0 and 255"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_are_rounded_to_256_levels(tmp_path, dtype):
    levels = np.arange(256).reshape(1, 16, 16)
    dataset = opened(write(tmp_path, images=(levels / 255).astype(dtype)))
    assert np.array_equal(shown(dataset)[:, 0], levels)
    assert dataset.source.endswith("values in [0, 1] rounded to 256 levels")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rounding_errors_are_accepted(tmp_path, dtype):
    up, down = 1 + max(1e-7, np.finfo(dtype).eps), -1e-7
    images = np.array([[[0, 1], [up, down]]], dtype)
    assert images.max() > 1
    assert shown(opened(write(tmp_path, images=images))).tolist() == [[[[0, 255], [255, 0]]]]
    for value in (1.002, -0.002):
        images[0, 1, 1] = value
        with pytest.raises(ValueError, match=r"row 0 of 'images' has the value -?[01].00[12][0-9]* outside \[0, 1\]"):
            opened(write(tmp_path, images=images))


def test_float_vectors_are_taken_as_they_are(tmp_path):
    vectors = RNG.normal(size=(N, 5))
    dataset = opened(write(tmp_path, "h5", images=vectors, side=np.array([0, 1, 1, 0, 0, 1])), classes="side")
    assert dataset.observation_shape == (5,)
    assert dataset.raw(torch.arange(N)).dtype == torch.float32
    assert np.array_equal(shown(dataset), vectors.astype(np.float32))
    assert torch.equal(as_float(dataset.raw(torch.tensor([3, 1]))), torch.from_numpy(vectors[[3, 1]]).float())
    assert isinstance(dataset, Labelled)


@pytest.mark.parametrize("kind", ["npz", "npy", "h5"])
@pytest.mark.parametrize("images", [COLOUR, COLOUR / np.float32(255), RNG.normal(size=(N, 5))])
def test_arrays_in_fortran_order(tmp_path, kind, images, monkeypatch):
    monkeypatch.setattr(npz, "PIECE_BYTES", 7)
    monkeypatch.setattr(array_file, "PIECE_BYTES", 2 * images[0].nbytes)
    expected = shown(opened(write(tmp_path, kind, images=images)))
    path = write(tmp_path, kind, images=np.asfortranarray(images))
    assert np.array_equal(shown(opened(path)), expected)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_classes_in_fortran_order(tmp_path, save):
    classes = np.indices((2, 3)).reshape(2, -1).T
    assert not classes.flags.c_contiguous
    path = tmp_path / "mine.npz"
    save(path, images=COLOUR, classes=classes)
    dataset = opened(path, classes="classes")
    assert dataset.factors == FactorSpace(names=("factor_1", "factor_2"), sizes=(2, 3))
    assert np.array_equal(shown(dataset), COLOUR.transpose(0, 3, 1, 2))


def test_large_fortran_array(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "FORTRAN_BYTES", COLOUR.nbytes - 1)
    with pytest.raises(ValueError, match=r"'images' is in Fortran order.*1,440 bytes.*np.ascontiguousarray.*npy file"):
        opened(write(tmp_path, images=np.asfortranarray(COLOUR)))
    opened(write(tmp_path, "npy", images=np.asfortranarray(COLOUR)))


# ------------------------------------------------------------------------------------------------------- classes


def test_classes_fill_grid(tmp_path):
    dataset = opened(write(tmp_path, images=COLOUR, classes=GRID), classes="classes", factor_names=["row", "column"])
    assert isinstance(dataset, GridDataset)
    assert dataset.factors == FactorSpace(names=("row", "column"), sizes=(2, 3))
    assert np.array_equal(shown(dataset), COLOUR.transpose(0, 3, 1, 2))
    assert not isinstance(dataset, Labelled)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [4, 2, 0, 5, 1, 3]])
def test_grid_counted_from_one_or_with_gaps(tmp_path, order):
    plain = opened(write(tmp_path, images=COLOUR, classes=GRID), classes="classes")
    given = (GRID * [1, 10] + [1, 0])[order]  # 1, 2 and 0, 10, 20
    path = write(tmp_path, images=COLOUR[order], classes=given)
    dataset = opened(path, classes="classes", factor_names=["row", "column"])
    assert isinstance(dataset, GridDataset)
    assert dataset.factors == FactorSpace(names=("row", "column"), sizes=(2, 3))
    assert np.array_equal(shown(dataset), shown(plain))
    assert dataset.remark == "classes relabelled to 0, 1, ...: row 1, 2; column 0, 10, 20"
    assert dataset.remark in dataset.source
    assert dataset.class_names == {"row": ("1", "2"), "column": ("0", "10", "20")}


def test_fingerprint_covers_classes(tmp_path):
    def fingerprints(classes, names=None):
        dataset = opened(write(tmp_path, images=COLOUR, classes=classes), classes="classes", factor_names=names)
        return dataset.fingerprint, observations_fingerprint(dataset)

    grids = [GRID, np.stack(np.divmod(np.arange(N), 2), 1)]  # sizes 2, 3 and 3, 2, images in the same order
    labels = [np.minimum(GRID, 1), np.zeros_like(GRID), GRID[:, 1:]]
    all_of_them = [fingerprints(np.array(classes)) for classes in grids + labels]
    all_of_them.append(fingerprints(GRID, ["row", "column"]))
    assert len({fingerprint for fingerprint, _ in all_of_them}) == 6
    assert {observations for _, observations in all_of_them} == {opened(write(tmp_path, images=COLOUR)).fingerprint}
    assert fingerprints(GRID) == all_of_them[0]


def test_classes_fill_grid_in_other_order(tmp_path):
    order = np.array([4, 2, 0, 5, 1, 3])
    plain = opened(write(tmp_path, images=COLOUR, classes=GRID), classes="classes")
    dataset = opened(write(tmp_path, "h5", images=COLOUR[order], classes=GRID[order]), classes="classes")
    assert isinstance(dataset, GridDataset)
    assert dataset.factors.names == ("factor_1", "factor_2")
    assert np.array_equal(shown(dataset), shown(plain))
    assert dataset.source.endswith(", sorted by its classes")
    assert dataset.fingerprint != plain.fingerprint


def test_correlation_of_own_classes(tmp_path):
    correlation = {"factors": ["factor_1", "factor_2"], "width": 0.8}
    path = write(tmp_path, images=COLOUR, classes=GRID)
    dataset = with_correlation(opened(path, classes="classes"), correlation)
    assert 0 < len(dataset.sample) < N
    assert "factor_1 and factor_2 correlated" in dataset.source
    with pytest.raises(ValueError, match=r"^correlation needs known factors of variation or labels, and mine has neit"):
        with_correlation(opened(path), correlation)


@pytest.mark.parametrize("classes", [np.minimum(GRID, 1), GRID[:, 1:], [[0, 0]] * 3 + [[1, 2]] * 3])
def test_other_classes_are_labels(tmp_path, classes):
    classes = np.array(classes)
    dataset = opened(write(tmp_path, images=COLOUR, classes=classes), classes="classes")
    assert isinstance(dataset, Labelled)
    assert not isinstance(dataset, FactorDataset)
    assert dataset.label_names == (("classes",) if classes.shape[1] == 1 else ("factor_1", "factor_2"))
    assert dataset.label_sizes == tuple(classes.max(axis=0) + 1)
    assert dataset.label_classes(torch.tensor([5, 0])).tolist() == classes[[5, 0]].tolist()


@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_single_column_takes_name_of_its_array(tmp_path, shape):
    path = write(tmp_path, images=COLOUR, brightness=np.arange(6).reshape(shape) % 2)
    assert opened(path, classes="brightness").label_names == ("brightness",)
    assert opened(path, classes="brightness", factor_names=["shade"]).label_names == ("shade",)


def test_one_column_may_come_without_its_axis(tmp_path):
    dataset = opened(
        write(tmp_path, images=COLOUR, digit=np.array([7, 0, 7, 1, 1, 2], dtype=np.uint8)), classes="digit"
    )
    assert dataset.label_sizes == (8,)
    assert dataset.label_classes(torch.tensor([0])).tolist() == [[7]]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (GRID - 1, "row 0 of 'classes' has the class -1; classes begin at 0"),
        (GRID / 2, r"'classes' has shape \(6, 2\) and dtype float64; classes are whole numbers"),
        (GRID[:5], r"has shape \(5, 2\).*the classes of 6 images have the shape \(6, factors\)"),
        (GRID[:, :, None], r"shape \(6, 2, 1\)"),
    ],
)
def test_wrong_classes_are_refused_in_one_line(tmp_path, classes, message):
    path = write(tmp_path, images=COLOUR, classes=classes)
    with pytest.raises(ValueError, match=message) as caught:
        opened(path, classes="classes")
    assert "\n" not in str(caught.value)


def test_wrong_names_of_factors_are_refused(tmp_path):
    path = write(tmp_path, images=COLOUR, classes=GRID)
    with pytest.raises(ValueError, match=r"^factor_names must be 2 names, one a column of 'classes', not"):
        opened(path, classes="classes", factor_names=["row"])
    with pytest.raises(ValueError, match=r"one size per distinct name, not names=\('row', 'row'\)"):
        opened(path, classes="classes", factor_names=["row", "row"])
    with pytest.raises(ValueError, match=r"^factor_names names the columns of classes: set classes too"):
        opened(path, factor_names=["row", "column"])
    with pytest.raises(ValueError, match="npy file, which holds one array and no 'classes'; put both into an npz"):
        opened(write(tmp_path, "npy", images=COLOUR), classes="classes")


# ------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((2, 4, 4), 1.5), r"row 0 of 'images' has the value 1.5 outside \[0, 1\]"),
        (np.stack([np.zeros((4, 4)), np.full((4, 4), np.nan)]), r"row 1 of 'images' has the value nan outside"),
        (np.array([[0.0, np.inf]]), "row 0 of 'images' has the value inf that float32 cannot hold"),
        (np.array([[1e300, 0.0]]), r"has the value 1e\+300 that float32 cannot hold"),
        (COLOUR.astype(np.int64), "dtype int64; images are uint8, bool, or float"),
        (COLOUR[:, :, 0, 0], "two axes are vectors, which are float"),
        (COLOUR[..., :2], r"\(6, 8, 10, 2\), and neither axis 1 nor axis 3 holds 1 or 3 channels"),
        (COLOUR[:0], r"shape \(0, 8, 10, 3\): it holds nothing"),
        (np.zeros(5), r"has shape \(5,\), not that of vectors"),
    ],
)
def test_wrong_images_are_refused_in_one_line(tmp_path, images, message):
    path = write(tmp_path, images=images)
    with pytest.raises(ValueError, match=message) as caught:
        opened(path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.pixels"))


def test_settings_are_checked(tmp_path):
    path = write(tmp_path, images=COLOUR)
    with pytest.raises(ValueError, match=r"^layout must be one of auto, channels_first, channels_last, not 'last'"):
        opened(path, layout="last")
    with pytest.raises(ValueError, match=r"^layout=channels_first gives 8 channels, which can be 1 or 3"):
        opened(path, layout="channels_first")


@pytest.mark.parametrize("kind", ["npz", "h5"])
def test_missing_array(tmp_path, kind):
    path = write(tmp_path, kind, images=COLOUR, extra=GRID)
    with pytest.raises(ValueError, match=r"no array 'imgs'; it holds extra.*, images"):
        opened(path, images="imgs")


@pytest.mark.parametrize("kind", ["npz", "npy", "h5"])
def test_a_cut_file_is_refused(tmp_path, kind):
    path = write(tmp_path, kind, images=COLOUR)
    os.truncate(path, path.stat().st_size - 900)
    with pytest.raises(ValueError, match=r"is not a whole (npz|npy|HDF5) file") as caught:
        opened(path)
    assert "\n" not in str(caught.value)


class Trap:
    """An object that tells when it is unpickled."""

    def __reduce__(self):
        return (refuse, ())


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_objects_are_never_unpickled(tmp_path, kind):
    path = tmp_path / f"mine.{kind}"
    objects = np.array([Trap(), Trap()], dtype=object)
    np.save(path, objects, allow_pickle=True) if kind == "npy" else np.savez(path, images=objects)
    with pytest.raises(ValueError, match=r"python objects|[Oo]bject"):
        opened(path)


def test_other_files_are_refused_unread(tmp_path):
    path = tmp_path / "mine.npy"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="is neither an npz, an npy nor an HDF5 file"):
        opened(path)
    with pytest.raises(ValueError, match=rf"{tmp_path} is a folder, .* is dataset=folder dataset.path={tmp_path}"):
        opened(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none.npz: no such file; name your array by dataset.path="):
        opened(tmp_path / "none.npz")
