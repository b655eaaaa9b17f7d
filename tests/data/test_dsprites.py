"""dSprites from small files made exactly in the official formats, and the choice between file and renderer."""

import os
import pickle
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from lrx.core.factors import FactorSpace
from lrx.core.types import as_float
from lrx.data import dsprites as module
from lrx.data.dsprites import HDF5, NPZ, dsprites, from_file
from tests.support.pickle_payload import Payload

FACTORS = FactorSpace(
    names=("color", "shape", "scale", "orientation", "position_x", "position_y"), sizes=(1, 3, 2, 2, 3, 4)
)
N = FACTORS.num_points
IMAGES = np.random.default_rng(0).integers(0, 2, size=(N, 64, 64), dtype=np.uint8)
CLASSES = FACTORS.classes(torch.arange(N)).numpy()
VALUES = CLASSES / 10
NOT_PUBLISHED = "ignore:.*is not the file that was published"
pytestmark = pytest.mark.filterwarnings(NOT_PUBLISHED)


def write_npz(path: Path, *, trap: Path | None = None, **changes: np.ndarray) -> Path:
    arrays = {"imgs": IMAGES, "latents_classes": CLASSES, "latents_values": VALUES} | changes
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    if trap is not None:  # as numpy under python 2 wrote it: an object array, by pickle protocol 2
        header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
        header += b" " * (-(len(header) + 11) % 16) + b"\n"
        member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + pickle.dumps(Payload(trap), 2)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("metadata.npy", member)
    return path


def write_hdf5(path: Path, *, images: np.ndarray = IMAGES, classes: np.ndarray = CLASSES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("imgs", data=images, chunks=(min(32, len(images)), 2, 4), compression="gzip")
        file["latents/classes"] = classes
        file["latents/values"] = VALUES
    return path


def shown(dataset) -> np.ndarray:
    return as_float(dataset.raw(torch.arange(len(dataset)))).numpy()[:, 0]


def test_npz_and_hdf5_give_the_same_images(tmp_path):
    npz, hdf5 = (from_file(p, FACTORS) for p in (write_npz(tmp_path / NPZ), write_hdf5(tmp_path / HDF5)))
    assert npz.observation_shape == (1, 64, 64)
    assert np.array_equal(shown(npz), IMAGES)
    assert np.array_equal(shown(hdf5), IMAGES)
    assert npz.fingerprint == hdf5.fingerprint
    assert npz.factors == FACTORS


def test_other_checksum_in_source(tmp_path):
    with pytest.warns(UserWarning, match="not the file that was published: its md5 is .* not 7da33b31"):
        dataset = from_file(write_npz(tmp_path / NPZ), FACTORS)
    assert dataset.source == f"official file {NPZ}, checksum not the published one"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # only a conversion looks at the checksum
        assert from_file(tmp_path / NPZ, FACTORS).source == dataset.source


def test_metadata_is_never_unpickled(tmp_path):
    trap = tmp_path / "trap"
    dataset = from_file(write_npz(tmp_path / NPZ, trap=trap), FACTORS)
    assert np.array_equal(shown(dataset), IMAGES)
    assert not trap.exists()
    with np.load(tmp_path / NPZ, allow_pickle=True) as archive:  # the trap does spring when it is touched
        archive["metadata"]
    assert trap.is_dir()


def test_object_arrays_are_refused_unread(tmp_path):
    trap = tmp_path / "trap"
    write_npz(tmp_path / NPZ, imgs=np.array([Payload(trap)] * N, dtype=object))
    with pytest.raises(ValueError, match=r"'imgs' has shape \(144,\) and dtype object, not \(144, 64, 64\) and uint8"):
        from_file(tmp_path / NPZ, FACTORS)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"imgs": IMAGES[:-1]}, r"'imgs' has shape \(143, 64, 64\).*not \(144, 64, 64\)"),
        ({"imgs": IMAGES.astype(np.int32)}, "dtype int32, not .* uint8"),
        ({"imgs": IMAGES * 255}, "binary images hold 0 and 1, not 255"),
        ({"latents_classes": CLASSES[:, :5]}, r"'latents_classes' has shape \(144, 5\).*not \(144, 6\)"),
        ({"latents_classes": CLASSES[::-1].copy()}, r"image 0 has the classes \[0, 2, 1, 1, 2, 3\], not \[0, 0, 0"),
    ],
)
def test_a_wrong_npz_is_refused_in_one_line(tmp_path, changes, message):
    write_npz(tmp_path / NPZ, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        from_file(tmp_path / NPZ, FACTORS)
    assert NPZ in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [NPZ]


def test_npz_without_images(tmp_path):
    np.savez(tmp_path / NPZ, images=IMAGES, latents_classes=CLASSES)
    with pytest.raises(ValueError, match=r"has no array 'imgs'; it holds images.npy, latents_classes.npy"):
        from_file(tmp_path / NPZ, FACTORS)


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("write", [write_npz, write_hdf5])
def test_truncated_file(tmp_path, write, fraction):
    path = write(tmp_path / (NPZ if write is write_npz else HDF5))
    os.truncate(path, int(fraction * path.stat().st_size))
    with pytest.raises(ValueError, match=r"is not a whole (npz|HDF5) file") as caught:
        from_file(path, FACTORS)
    assert "\n" not in str(caught.value)


def test_a_flipped_byte_of_an_npz_is_noticed(tmp_path):
    path = write_npz(tmp_path / NPZ)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is not a whole npz file"):
        from_file(path, FACTORS)


def test_a_wrong_hdf5_file_is_refused(tmp_path):
    write_hdf5(tmp_path / "size" / HDF5, images=IMAGES[:-1])
    with pytest.raises(ValueError, match=r"'imgs' has shape \(143, 64, 64\)"):
        from_file(tmp_path / "size" / HDF5, FACTORS)
    write_hdf5(tmp_path / "order" / HDF5, classes=CLASSES[:, [0, 1, 2, 3, 5, 4]].copy())
    with pytest.raises(ValueError, match="is not in the order of its factors"):
        from_file(tmp_path / "order" / HDF5, FACTORS)
    with h5py.File(write_hdf5(tmp_path / "key" / HDF5), "a") as file:
        file.move("imgs", "images")
    with pytest.raises(ValueError, match=r"has no array 'imgs'; it holds images, latents"):
        from_file(tmp_path / "key" / HDF5, FACTORS)


@pytest.mark.parametrize("way", ["external link", "soft link", "virtual data set", "external storage"])
def test_images_in_another_file_are_refused(tmp_path, way):
    elsewhere = write_hdf5(tmp_path / "elsewhere.hdf5")
    path = write_hdf5(tmp_path / HDF5)
    with h5py.File(path, "a") as file:
        del file["imgs"]
        if way == "external link":
            file["imgs"] = h5py.ExternalLink(str(elsewhere), "imgs")
        elif way == "soft link":
            file["real"] = IMAGES
            file["imgs"] = h5py.SoftLink("/real")
        elif way == "virtual data set":
            layout = h5py.VirtualLayout(shape=IMAGES.shape, dtype="u1")
            layout[:] = h5py.VirtualSource(str(elsewhere), "imgs", shape=IMAGES.shape)
            file.create_virtual_dataset("imgs", layout)
        else:
            IMAGES.tofile(tmp_path / "raw")
            file.create_dataset("imgs", IMAGES.shape, "u1", external=[(str(tmp_path / "raw"), 0, IMAGES.nbytes)])
    with pytest.raises(ValueError, match=r"is a link to elsewhere|lie in another file"):
        from_file(path, FACTORS)


def test_a_replaced_file_is_converted_again(tmp_path):
    first = from_file(write_npz(tmp_path / NPZ), FACTORS)
    second = from_file(write_npz(tmp_path / NPZ, imgs=1 - IMAGES), FACTORS)
    assert np.array_equal(shown(second), 1 - IMAGES)
    assert first.fingerprint != second.fingerprint


@pytest.fixture
def small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if dSprites were the small grid, rendered all black."""
    monkeypatch.setattr(module, "FACTORS", FACTORS)
    monkeypatch.setattr(module, "render_sprites", lambda: iter([np.zeros((N, 512), dtype=np.uint8)]))


@pytest.mark.usefixtures("small_grid")
def test_auto_source_order(tmp_path):
    root = str(tmp_path)
    assert dsprites(root=root, source="auto").source == "rendered"
    write_hdf5(tmp_path / "dsprites" / HDF5)
    assert dsprites(root=root, source="auto").source.startswith(f"official file {HDF5}")
    write_npz(tmp_path / NPZ)
    assert dsprites(root=root, source="auto").source.startswith(f"official file {NPZ}")
    assert dsprites(root=root, source="file").source.startswith(f"official file {NPZ}")
    assert dsprites(root=root, source="rendered").source == "rendered"
    assert (tmp_path / "rendered" / "dsprites.json").is_file()


@pytest.mark.usefixtures("small_grid")
def test_progress_counts_the_images(tmp_path):
    told = []
    dsprites(root=str(tmp_path), source="rendered", progress=lambda done, total: told.append((done, total)))
    assert told == [(N, N)]


def test_missing_file_message(tmp_path):
    with pytest.raises(FileNotFoundError, match="no official file of dsprites") as caught:
        dsprites(root=str(tmp_path), source="file")
    message = str(caught.value)
    for part in (NPZ, HDF5, str(tmp_path), str(tmp_path / "dsprites"), "dataset.root=", "LRX_DATA", "=rendered"):
        assert part in message
    assert "\n" not in message


def test_unknown_source(tmp_path):
    with pytest.raises(ValueError, match=r"^source must be one of auto, file, rendered, not 'web'"):
        dsprites(root=str(tmp_path), source="web")
