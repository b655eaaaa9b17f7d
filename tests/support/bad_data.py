"""Damaged, foreign and hostile files of data sets: how each is made, what is typed, and what the refusal must say.

Official sizes are checked first, so that files of a few bytes are refused at once.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from tests.data.test_celeba import JPEGS, attributes_text, jpeg, partition_text

Make = Callable[[Path], object]
Case = tuple[Make, list[str], list[str]]

TRAIN = ["train", "network=mlp", "network.hidden=[4]", "latent_dim=2", "trainer.steps=1", "name=x"]
DSPRITES, SHAPES, MPI3D = (
    [*TRAIN, f"dataset={name}", "dataset.source=file"] for name in ("dsprites", "3dshapes", "mpi3d")
)
CELEBA = [*TRAIN, "dataset=celeba", "dataset.size=8", "dataset.workers=1"]
FOLDER = [*TRAIN, "dataset=folder", "dataset.path=pictures"]
ARRAYS = [*TRAIN, "dataset=arrays"]
NPZ, NPY, H5 = ([*ARRAYS, f"dataset.path=mine.{ending}"] for ending in ("npz", "npy", "h5"))
SPRITES_NPZ = "data/dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
SPRITES_HDF5 = "data/dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5"
GREY = np.random.default_rng(0).integers(0, 256, (64, 32, 32), dtype=np.uint8)


def put(name: str, content: bytes) -> Make:
    return lambda folder: (folder / name).write_bytes(content)


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def npy(header: bytes, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def announced(shape: str, dtype: str = "|u1") -> bytes:
    return f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def patched(content: bytes, signature: bytes, offset: int, new: bytes) -> bytes:
    """With other bytes so far behind the last place of a signature, such as that of a zip's directory entry."""
    place = content.rindex(signature) + offset
    return content[:place] + new + content[place + len(new) :]


def hdf5(name: str, fill: Callable[[h5py.File, Path], object]) -> Make:
    def make(folder: Path) -> None:
        with h5py.File(folder / name, "w") as file:
            fill(file, folder)

    return make


def damaged_hdf5(change: Callable[[bytes], bytes]) -> Make:
    def make(folder: Path) -> None:
        path = folder / "mine.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("images", data=GREY, chunks=(8, 32, 32), compression="gzip")
        path.write_bytes(change(path.read_bytes()))

    return make


def unknown_filter(file: h5py.File, folder: Path) -> None:
    """An array that is compressed by a filter which no HDF5 library brings along."""
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_chunk((3, 4, 4))
    how.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, (3,))
    space = h5py.h5s.create_simple((3, 4, 4))
    array = h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, space, how)
    array.write_direct_chunk((0, 0, 0), b"x" * 20)


def png(mode: str = "RGB", size: tuple[int, int] = (8, 8)) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, "PNG")
    return file.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A small file whose header announces this size."""
    content = bytearray(png())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


def pictures(**files: bytes | Make) -> Make:
    """A folder of pictures; `a_png` is a.png."""

    def make(folder: Path) -> None:
        (folder / "pictures").mkdir()
        for name, content in files.items():
            path = folder / "pictures" / name.replace("_", ".")
            if callable(content):
                content(path)
            else:
                path.write_bytes(content)

    return make


def celeba(images: bytes | Make | None = None, attributes: str | None = None, partition: str | None = None) -> Make:
    def make(folder: Path) -> None:
        if callable(images):
            images(folder / "data/img_align_celeba.zip")
        else:
            (folder / "data/img_align_celeba.zip").write_bytes(zipped(JPEGS) if images is None else images)
        (folder / "data/list_attr_celeba.txt").write_text(attributes_text() if attributes is None else attributes)
        (folder / "data/list_eval_partition.txt").write_text(partition_text() if partition is None else partition)

    return make


def loop(path: Path) -> None:
    path.symlink_to(path)


ENTRY = b"PK\x01\x02"  # of a zip's directory
FEW = npz(imgs=np.zeros((8, 64, 64), np.uint8), latents_classes=np.zeros((8, 6), np.int64))
PACKED = npz(images=GREY)
LAST = list(JPEGS)[-1]

OFFICIAL: dict[str, Case] = {
    "dsprites npz, empty": (put(SPRITES_NPZ, b""), DSPRITES, [SPRITES_NPZ, "not a whole npz"]),
    "dsprites npz, a web page": (put(SPRITES_NPZ, b"<html></html>"), DSPRITES, ["not a whole npz"]),
    "dsprites npz, cut": (put(SPRITES_NPZ, FEW[: len(FEW) // 2]), DSPRITES, ["not a whole npz"]),
    "dsprites npz, few images": (put(SPRITES_NPZ, FEW), DSPRITES, ["(8, 6)", "(737280, 6)"]),
    "dsprites npz, other arrays": (put(SPRITES_NPZ, npz(x=np.zeros(3))), DSPRITES, ["latents_classes", "x.npy"]),
    "dsprites npz, a folder": (lambda folder: (folder / SPRITES_NPZ).mkdir(), DSPRITES, ["no official file"]),
    "dsprites npz, a loop": (lambda folder: loop(folder / SPRITES_NPZ), DSPRITES, ["no official file"]),
    "dsprites hdf5, no arrays": (hdf5(SPRITES_HDF5, lambda f, _: f.create_group("x")), DSPRITES, ["latents/classes"]),
    "dsprites hdf5, a group": (
        hdf5(SPRITES_HDF5, lambda f, _: f.create_group("latents/classes")),
        DSPRITES,
        ["is a group"],
    ),
    "dsprites hdf5, links in a ring": (
        hdf5(SPRITES_HDF5, lambda f, _: f.__setitem__("latents", h5py.SoftLink("/latents"))),
        DSPRITES,
        ["a link to elsewhere"],
    ),
    "dsprites hdf5, in no order": (
        hdf5(SPRITES_HDF5, lambda f, _: f.create_dataset("latents/classes", (737280, 6), "i8", chunks=(4096, 6))),
        DSPRITES,
        ["not in the order of its factors"],
    ),
    "3dshapes, another dtype": (
        hdf5("data/3dshapes.h5", lambda f, _: f.create_dataset("labels", (480000, 6), "f4", chunks=True)),
        SHAPES,
        ["float32", "float64"],
    ),
    "3dshapes, another file's": (
        hdf5("data/3dshapes.h5", lambda f, _: f.__setitem__("labels", h5py.ExternalLink("/etc/passwd", "/x"))),
        SHAPES,
        ["a link to elsewhere"],
    ),
    "mpi3d, few images": (
        put("data/mpi3d_toy.npz", npz(images=np.zeros((8, 64, 64, 3), np.uint8))),
        MPI3D,
        ["(8, 64, 64, 3)", "(1036800, 64, 64, 3)"],
    ),
    "mpi3d, announced only": (
        put("data/mpi3d_toy.npz", zipped({"images.npy": npy(announced("(1036800, 64, 64, 3)"))})),
        MPI3D,
        ["has 0 bytes, not the 12,740,198,400"],
    ),
    "mpi3d, packed and cut": (
        put("data/mpi3d_toy.npz", zipped({"images.npy": npy(announced("(1036800, 64, 64, 3)"))}, zipfile.ZIP_DEFLATED)),
        MPI3D,
        ["has 0 bytes, not the 12,740,198,400"],
    ),
    "celeba, a web page": (celeba(b"<html></html>"), CELEBA, ["is a web page"]),
    "celeba, cut": (celeba(zipped(JPEGS)[:-300]), CELEBA, ["cut off on its way"]),
    "celeba, an empty folder": (celeba(Path.mkdir), CELEBA, ["holds 0 files", "is missing"]),
    "celeba, a png": (celeba(zipped({**JPEGS, LAST: png()})), CELEBA, [LAST.rpartition("/")[2], "no readable picture"]),
    "celeba, a cut jpeg": (celeba(zipped({**JPEGS, LAST: jpeg(1)[:-300]})), CELEBA, ["is damaged"]),
    "celeba, a small jpeg": (celeba(zipped({**JPEGS, LAST: jpeg(1, width=20)})), CELEBA, ["20 x 218 pixels"]),
    "celeba, a count of 5,000 digits": (celeba(attributes="9" * 5000 + "\na b\n"), CELEBA, ["begins with '9999"]),
    "celeba, a count for no disk": (celeba(attributes="9" * 12 + "\na b\n"), CELEBA, ["no space left", "bytes needed"]),
    "celeba, other parts": (celeba(partition=partition_text([0, 0, 1, 2, 0, 3])), CELEBA, ["the value '3'"]),
}

OWN: dict[str, Case] = {
    "folder, none": (lambda folder: None, FOLDER, ["there is no folder"]),
    "folder, a loop": (lambda folder: loop(folder / "pictures"), FOLDER, ["there is no folder"]),
    "folder, none is a picture": (pictures(a_png=b"<svg/>"), FOLDER, ["none of the 1 images", "a.png"]),
    "folder, an empty picture": (pictures(a_png=png(), b_png=b""), FOLDER, ["b.png", "on_corrupt=skip"]),
    "folder, a cut picture": (pictures(a_png=png(), b_png=png()[:40]), FOLDER, ["b.png"]),
    "folder, a picture in a ring": (pictures(a_png=png(), b_png=loop), FOLDER, ["b.png", "symbolic links"]),
    "folder, a pipe": (pictures(a_png=png(), b_png=os.mkfifo), FOLDER, ["b.png", "no regular file"]),
    "folder, 16 bits": (pictures(a_png=png("I;16")), FOLDER, ["8 bits a channel"]),
    "folder, sizes for no memory": (pictures(a_png=png()), [*FOLDER, "dataset.size=1000000"], ["no space left"]),
    "arrays, no file": (lambda folder: None, NPZ, ["no such file", "dataset.path"]),
    "arrays, no path": (lambda folder: None, ARRAYS, ["needs dataset.path"]),
    "arrays, a folder": (lambda folder: (folder / "mine.npz").mkdir(), NPZ, ["is a folder", "dataset=folder"]),
    "arrays, a pipe": (lambda folder: os.mkfifo(folder / "mine.npz"), NPZ, ["a device, a pipe"]),
    "arrays, a loop": (lambda folder: loop(folder / "mine.npz"), NPZ, ["no such file"]),
    "arrays, text": (put("mine.npz", b"hello"), NPZ, ["neither an npz, an npy nor an HDF5"]),
    "arrays, a cut npz": (put("mine.npz", PACKED[:-30]), NPZ, ["not a whole npz"]),
    "arrays, an encrypted npz": (
        put("mine.npz", patched(patched(PACKED, ENTRY, 8, b"\1"), b"PK\x03\x04", 6, b"\1")),
        NPZ,
        ["is encrypted"],
    ),
    "arrays, an unknown packing": (
        put("mine.npz", patched(patched(PACKED, ENTRY, 10, b"\x63"), b"PK\x03\x04", 8, b"\x63")),
        NPZ,
        ["compression method"],
    ),
    "arrays, another checksum": (put("mine.npz", patched(PACKED, ENTRY, 16, b"\0\1\2\3")), NPZ, ["Bad CRC-32"]),
    "arrays, an unclosed header": (
        put("mine.npz", zipped({"images.npy": npy(announced("(1,")[:-6])})),
        NPZ,
        ["header of 'images'"],
    ),
    "arrays, an unclosed npy header": (put("mine.npy", npy(announced("(1,")[:-6])), NPY, ["not a whole npy"]),
    "arrays, an npy beyond numbers": (put("mine.npy", npy(announced(f"({10**30}, 3)"))), NPY, ["not a whole npy"]),
    "arrays, not a number": (put("mine.npz", npz(images=np.full((3, 2), np.nan))), NPZ, ["has the value nan"]),
    "arrays, a cut hdf5": (damaged_hdf5(lambda content: content[: len(content) // 2]), H5, ["not a whole HDF5"]),
    "arrays, a hole in an hdf5": (
        damaged_hdf5(lambda content: patched(content, b"", -9000, bytes(4000))),
        H5,
        ["not a whole HDF5"],
    ),
    "arrays, an unknown filter": (hdf5("mine.h5", unknown_filter), H5, ["number 32099", "h5repack"]),
    "arrays, an hdf5 group": (hdf5("mine.h5", lambda f, _: f.create_group("images")), H5, ["is a group"]),
    "a root that is a file": (
        lambda folder: (put("mine.npz", PACKED)(folder), put("root", b"")(folder)),
        [*NPZ, "dataset.root=root"],
        ["cannot write", "not a directory"],
    ),
    "a root in a ring": (
        lambda folder: (put("mine.npz", PACKED)(folder), loop(folder / "root")),
        [*NPZ, "dataset.root=root"],
        ["cannot write", "symbolic links"],
    ),
}
