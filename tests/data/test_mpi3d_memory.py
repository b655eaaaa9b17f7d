"""MPI3D of full size: opened without reading."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lrx.data.mpi3d import FACTORS
from lrx.data.store import npz
from lrx.data.store.cache import Origin, Recipe
from tests.data.test_mpi3d import FILE, IMAGES, NOT_PUBLISHED

pytestmark = pytest.mark.filterwarnings(NOT_PUBLISHED)


def write_sparse(path: Path, shape: tuple[int, ...], *, last: np.ndarray) -> int:
    """A stored npz as numpy writes it, zip64, black but for the last image, its CRC left at 0; the array's offset.

    PKWARE, APPNOTE 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3.
    """
    name, much = b"images.npy", 0xFFFFFFFF  # much: see the zip64 field
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    size = len(header) + int(np.prod(shape))
    sizes = struct.pack("<HHQQ", 1, 16, size, size)
    common = struct.pack("<HHHHHIIIHH", 45, 0, 0, 0, 0x21, 0, much, much, len(name), len(sizes))
    with open(path, "wb") as file:
        file.write(b"PK\x03\x04" + common + name + sizes + header)
        offset = file.tell()
        file.seek(int(np.prod(shape)) - last.nbytes, 1)
        file.write(last.tobytes())
        start = file.tell()
        file.write(b"PK\x01\x02" + struct.pack("<H", 45) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name + sizes)
        end = file.tell()
        file.write(b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, end - start, start))
        file.write(b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1))
        file.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, end - start, much, 0))
    return offset


FULL_SIZE = """
import os, re, sys
from pathlib import Path
import numpy as np
import torch
from lrx.data.mpi3d import mpi3d

def kilobytes(file, key):
    return int(re.search(rf"{key}:?\\s+(\\d+)", Path("/proc/self", file).read_text())[1])

root = Path(sys.argv[1])
peak, read = kilobytes("status", "VmHWM"), kilobytes("io", "rchar")
dataset = mpi3d(root=str(root), variant="toy", source="file")
read = kilobytes("io", "rchar") - read  # by system calls; what the map has touched is counted next
maps = Path("/proc/self/smaps").read_text()
resident = int(re.search(r"mpi3d_toy\\.npz.*?Rss:\\s+(\\d+)", maps, re.DOTALL)[1])
assert read < 1e6, f"opening read {read} bytes"
assert resident < 1000, f"opening touched {resident} kB of the map"

generator = torch.Generator().manual_seed(0)
black = 0
for _ in range(200):
    black += int((dataset.raw(torch.randint(len(dataset) - 1, (128,), generator=generator)) == 0).sum())
assert black == 200 * 128 * 3 * 64 * 64
peak = kilobytes("status", "VmHWM") - peak
assert peak < 700_000, f"200 batches took {peak} kB"
assert np.array_equal(dataset.raw(torch.tensor([len(dataset) - 1])).numpy()[0], np.load(root / "last.npy"))
"""


def test_full_size_file_opens_unread(tmp_path):
    """12.7 GB of holes: the manifest is put there by hand, as hashing takes a minute; so hashing is not tested here."""
    shape = (FACTORS.num_points, 64, 64, 3)
    path = tmp_path / FILE
    offset = write_sparse(path, shape, last=IMAGES[0])
    np.save(tmp_path / "last.npy", IMAGES[0].transpose(2, 0, 1))
    recipe = Recipe("mpi3d_toy", shape, "uint8", FACTORS, Origin(file=path))
    known = {"pixels": FILE, "offset": offset, "source": "holes", "fingerprint": "none"}
    (tmp_path / f"{FILE}.json").write_text(json.dumps(recipe.manifest() | known))
    subprocess.run([sys.executable, "-c", FULL_SIZE, str(tmp_path)], check=True, timeout=120)
    path.unlink()


def test_the_sparse_file_is_an_npz(tmp_path):
    offset = write_sparse(tmp_path / "black.npz", (3, 64, 64, 3), last=IMAGES[0])
    place = npz.find_stored(tmp_path / "black.npz", "images", shape=(3, 64, 64, 3), dtype="uint8")
    assert place is not None
    assert place.offset == offset
