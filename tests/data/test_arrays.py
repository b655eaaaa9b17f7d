"""One's own arrays in npz, npy and HDF5 files."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from h5py import h5d, h5p, h5s, h5t, h5z

from lrx.core.factors import FactorSpace
from lrx.core.types import Dataset, FactorDataset, Labelled, Sampled, as_float
from lrx.data import arrays as module
from lrx.data.arrays import arrays
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


def test_hdf5_behind_a_user_block(tmp_path):
    """MATLAB 7.3 begins its files with 512 bytes of text."""
    path = tmp_path / "mine.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["images"] = COLOUR
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(512))
    assert np.array_equal(shown(opened(path)), COLOUR.transpose(0, 3, 1, 2))


def test_missing_filter_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    storage = h5p.create(h5p.DATASET_CREATE)
    storage.set_chunk(COLOUR.shape)
    storage.set_filter(32099, h5z.FLAG_OPTIONAL, (0,))  # not registered; a file of hdf5plugin has 32004, lz4
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        h5d.create(file.id, b"images", h5t.NATIVE_UINT8, h5s.create_simple(COLOUR.shape), storage)
    with pytest.raises(ValueError, match=r"packed with a filter \(number 32099\).* hdf5plugin, or .*h5repack -f NONE"):
        opened(tmp_path / "mine.h5")


def test_other_files_are_refused_unread(tmp_path):
    path = tmp_path / "mine.npy"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="is neither an npz, an npy nor an HDF5 file"):
        opened(path)
    with pytest.raises(ValueError, match=rf"{tmp_path} is a folder, .* is dataset=folder dataset.path={tmp_path}"):
        opened(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none.npz: no such file; name your array by dataset.path="):
        opened(tmp_path / "none.npz")
