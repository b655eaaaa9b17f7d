"""Files of MPI3D that are damaged, foreign or cut: refused in one line."""

import struct
import zipfile

import numpy as np
import pytest
import torch

from lrx.data.mpi3d import from_file
from lrx.data.store import npz
from tests.data.test_mpi3d import FILE, IMAGES, NOT_PUBLISHED, SMALL, N, write
from tests.support.pickle_payload import Payload

pytestmark = pytest.mark.filterwarnings(NOT_PUBLISHED)


def test_long_local_header(tmp_path):
    path = write(tmp_path / FILE)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("images.npy").extra == b""  # while numpy's local header has 20 bytes, zip64
    place = npz.find_stored(path, "images", shape=IMAGES.shape, dtype="uint8")
    assert place is not None
    assert path.read_bytes()[place.offset : place.offset + IMAGES.nbytes] == IMAGES.tobytes()
    with zipfile.ZipFile(path, "w") as archive:  # another member first, and an extra field of another length
        archive.writestr("notes.txt", "x" * 1000)
        info = zipfile.ZipInfo("images.npy")
        info.extra = struct.pack("<HH", 0xCAFE, 33) + bytes(33)
        with archive.open(info, "w", force_zip64=True) as member:
            np.lib.format.write_array(member, IMAGES)
    dataset = from_file(path, "toy", SMALL)
    assert np.array_equal(dataset.raw(torch.tensor([N - 1])).numpy()[0], IMAGES[-1].transpose(2, 0, 1))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES[:-1], rf"'images' has shape \({N - 1}, 64, 64, 3\).*not \({N}, 64, 64, 3\)"),
        (IMAGES[:, :32], rf"'images' has shape \({N}, 32, 64, 3\).*not \({N}, 64, 64, 3\)"),
        (IMAGES.astype(np.float32), "dtype float32, not .* uint8"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, images, message, compressed):
    with pytest.raises(ValueError, match=message) as caught:
        from_file(write(tmp_path / FILE, images, compressed=compressed), "toy", SMALL)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_object_arrays_are_refused_unread(tmp_path):
    trap = tmp_path / "trap"
    write(tmp_path / FILE, np.array([Payload(trap)] * N, dtype=object))
    with pytest.raises(ValueError, match=rf"'images' has shape \({N},\) and dtype object, not"):
        from_file(tmp_path / FILE, "toy", SMALL)
    assert not trap.exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_array_length_differs_from_header(tmp_path, method):
    for change in (-100, 100):
        with zipfile.ZipFile(tmp_path / FILE, "w", method) as archive, archive.open("images.npy", "w") as member:
            np.lib.format.write_array_header_1_0(
                member, {"descr": "|u1", "fortran_order": False, "shape": IMAGES.shape}
            )
            member.write(bytes(IMAGES.nbytes + change))
        with pytest.raises(ValueError, match=f"has {IMAGES.nbytes + change:,} bytes, not the {IMAGES.nbytes:,}"):
            from_file(tmp_path / FILE, "toy", SMALL)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("damage", ["empty", "end cut off", "beginning cut off", "middle cut out", "unknown method"])
def test_truncated_file(tmp_path, damage, compressed):
    path = write(tmp_path / FILE, compressed=compressed)
    data = bytearray(path.read_bytes())
    if damage == "empty":
        data.clear()
    elif damage == "end cut off":
        del data[len(data) // 2 :]
    elif damage == "beginning cut off":
        del data[:1000]
    elif damage == "middle cut out":
        del data[5000:6000]
    else:
        data[8] = data[data.rfind(b"PK\x01\x02") + 10] = 9  # deflate64, which zipfile cannot read
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is not a whole npz file") as caught:
        from_file(path, "toy", SMALL)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
def test_flipped_byte(tmp_path, compressed):
    path = write(tmp_path / FILE, compressed=compressed)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"is damaged: its array has the CRC-32|is not a whole npz file"):
        from_file(path, "toy", SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
