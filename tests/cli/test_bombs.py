"""Files that announce or inflate to far more than they are: refused in little memory."""

from __future__ import annotations

import ctypes
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from lrx.data.celeba import celeba
from lrx.data.folder import folder
from lrx.data.store.hdf5 import LARGEST_CHUNK
from lrx.storage import results
from lrx.storage.state_dict_file import read_state_dict
from tests.cli.test_hostile import own
from tests.data.test_celeba import JPEGS, attributes_text, partition_text
from tests.support import bad_data, bad_runs

ROOM = 256 << 20  # bytes that a refusal may take at most

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the file that was published")


@contextmanager
def little_memory() -> Iterator[None]:
    """AssertionError when the block needs more than ROOM bytes at a time."""
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before does not count
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: man 5 proc
    before = resident("VmRSS")
    yield
    needed = resident("VmHWM") - before
    assert needed < ROOM, f"{needed:,} bytes"


def resident(key: str) -> int:
    """Bytes that this process has in memory now (VmRSS), or had at the most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])


def write_lying_npz(path: Path, shape: str, dtype: str, num_bytes: int) -> None:
    """Write 1,000 bytes of an array of this shape, of which the zip file's directory says how many they are."""
    header = bad_data.npy(bad_data.announced(shape, dtype))
    content = bad_data.zipped({"images.npy": header + bytes(1000)})
    announced = (len(header) + num_bytes).to_bytes(4, "little")
    path.write_bytes(bad_data.patched(content, bad_data.ENTRY, 24, announced))


def test_npz_of_100_gb(tmp_path: Path) -> None:
    for shape, dtype in (("(1000000, 1000, 100)", "|u1"), ("(100000, 1000, 100)", "|u1"), ("(1, 25000000000)", "<f4")):
        write_lying_npz(tmp_path / "a.npz", shape, dtype, 4_000_000_000)
        with little_memory(), pytest.raises(ValueError, match=r"has 4,000,000,000 bytes, not the 1"):
            own(tmp_path / "a.npz")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.npz"]


def test_npz_of_4_gb_in_which_there_is_less(tmp_path: Path) -> None:
    write_lying_npz(tmp_path / "a.npz", "(250000000, 4, 4)", "|u1", 4_000_000_000)
    with little_memory(), pytest.raises((ValueError, OSError), match=r"no space left on device|is cut off"):
        own(tmp_path / "a.npz")


def test_npz_that_inflates(tmp_path: Path) -> None:
    content = bad_data.npy(bad_data.announced("(4, 8, 8)"), bytes(300 << 20))
    (tmp_path / "a.npz").write_bytes(bad_data.zipped({"images.npy": content}, zipfile.ZIP_DEFLATED))
    del content
    with little_memory(), pytest.raises(ValueError, match="'images' has 314,572,800 bytes, not the 256 that its shape"):
        own(tmp_path / "a.npz")


def test_jpeg_in_zip_that_inflates(tmp_path: Path) -> None:
    (tmp_path / "list_attr_celeba.txt").write_text(attributes_text())
    (tmp_path / "list_eval_partition.txt").write_text(partition_text())
    last = list(JPEGS)[-1]
    bomb = bad_data.zipped({**JPEGS, last: JPEGS[last] + bytes(200 << 20)}, zipfile.ZIP_DEFLATED)
    lying = bad_data.patched(bomb, bad_data.ENTRY, 24, len(JPEGS[last]).to_bytes(4, "little"))
    for content, what in ((bomb, "more than any image"), (lying, "is damaged")):
        (tmp_path / "img_align_celeba.zip").write_bytes(content)
        with little_memory(), pytest.raises(ValueError, match=what):
            celeba(root=str(tmp_path), size=8, crop=148, on_corrupt="error", workers=1)


def test_png_text_that_inflates(tmp_path: Path) -> None:
    text = b"Comment\0\0" + zlib.compress(bytes(300 << 20), 1)
    chunk = len(text).to_bytes(4, "big") + b"zTXt" + text + zlib.crc32(b"zTXt" + text).to_bytes(4, "big")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.png").write_bytes(bad_data.png()[:33] + chunk + bad_data.png()[33:])
    settings = {"size": None, "crop": None, "channels": None, "on_corrupt": "error"}
    with little_memory(), pytest.raises(ValueError, match=r"a\.png"):
        folder(root=str(tmp_path), path=str(tmp_path / "pictures"), **settings)


def test_weights_that_inflate(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"a": torch.zeros(8)}, path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        data = next(name for name in members if name.endswith("data/0"))
    entry = whole.index(data.encode(), whole.index(bad_data.ENTRY)) - 46
    path.write_bytes(whole[: entry + 20] + b"\xf0\xff\xff\xff" * 2 + whole[entry + 28 :])
    with little_memory(), pytest.raises(ValueError, match="no state dict that loads safely"):
        read_state_dict(path)
    path.write_bytes(bad_data.zipped({**members, data: bytes(300 << 20)}, zipfile.ZIP_DEFLATED))
    with little_memory(), pytest.raises(ValueError, match="no state dict that loads safely"):
        read_state_dict(path)


def test_hdf5_with_a_huge_chunk(tmp_path: Path) -> None:
    rows = LARGEST_CHUNK // 64 + 1
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", (rows, 8, 8), "u1", chunks=(rows, 8, 8), compression="gzip")
    with little_memory(), pytest.raises(ValueError, match=r"packed in chunks of 1,073,741,888 bytes"):
        own(tmp_path / "a.h5")


def test_result_of_terabytes(place: Path) -> None:
    path = place / "outputs/assay/run/result.h5"
    with h5py.File(path, "r+") as file:
        bad_runs.huge_array(file)
    with little_memory(), pytest.raises(ValueError, match="announces 4,000,000,000,000 bytes"):
        results.read(path)


def test_memory_limit_is_measured() -> None:
    with pytest.raises(AssertionError, match="bytes"), little_memory():
        assert any(np.ones(ROOM + (1 << 20), np.uint8))
