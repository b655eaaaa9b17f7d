"""MPI3D from small files made exactly in the official format, a sparse one of full size, and a renderer."""

import json
import struct
import subprocess
import sys
import warnings
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.core.factors import FactorSpace
from lrx.data import dsprites, mpi3d, shapes3d
from lrx.data.correlation import with_correlation
from lrx.data.mpi3d import FACTORS, VARIANTS, from_file, official
from lrx.data.store import npz
from lrx.data.store.cache import Origin, Recipe
from tests.support.pickle_payload import Payload

SMALL = FactorSpace(names=FACTORS.names, sizes=(2, 3, 2, 1, 1, 2, 3))
N = SMALL.num_points
IMAGES = np.random.default_rng(0).integers(0, 256, size=(N, 64, 64, 3), dtype=np.uint8)
FILE = VARIANTS["toy"].file
NOT_PUBLISHED = "ignore:.*is not the file that was published"
pytestmark = pytest.mark.filterwarnings(NOT_PUBLISHED)


def write(path: Path, images: np.ndarray = IMAGES, *, compressed: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (np.savez_compressed if compressed else np.savez)(path, images=images)
    return path


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


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_grid_is_that_of_the_official_file(variant):
    factors = VARIANTS[variant].factors
    assert factors.num_points == (460_800 if variant == "complex" else 1_036_800)
    assert dict(zip(factors.names, factors.sizes, strict=True)) == {
        "object_color": 4 if variant == "complex" else 6,
        "object_shape": 4 if variant == "complex" else 6,
        "object_size": 2,
        "camera_height": 3,
        "background_color": 3,
        "horizontal_axis": 40,
        "vertical_axis": 40,
    }


def test_a_stored_file_is_read_where_it_lies(tmp_path):
    told = []
    dataset = from_file(write(tmp_path / FILE), "toy", SMALL, lambda done, total: told.append((done, total)))
    indices = torch.tensor([N - 1, 0, 17, 17])
    assert dataset.name == "mpi3d_toy"
    assert dataset.observation_shape == (3, 64, 64)
    assert np.array_equal(dataset.raw(indices).numpy(), IMAGES[indices.numpy()].transpose(0, 3, 1, 2))
    assert dataset.fingerprint == sha256(IMAGES.tobytes()).hexdigest()
    assert dataset.source == f"official file {FILE}, checksum not the published one"
    assert told[-1] == (N, N)
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE, f"{FILE}.json"]


def test_compressed_file_same_images(tmp_path):
    stored = from_file(write(tmp_path / "stored" / FILE), "toy", SMALL)
    compressed = from_file(write(tmp_path / "compressed" / FILE, compressed=True), "toy", SMALL)
    everything = torch.arange(N)
    assert torch.equal(stored.raw(everything), compressed.raw(everything))
    assert stored.fingerprint == compressed.fingerprint
    (pixels,) = (tmp_path / "compressed").glob("*.pixels")
    assert pixels.read_bytes() == IMAGES.tobytes()


def test_a_second_opening_reads_headers_alone(tmp_path):
    first = from_file(write(tmp_path / FILE), "toy", SMALL)
    told = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # only the first looks at the checksum
        second = from_file(tmp_path / FILE, "toy", SMALL, lambda done, total: told.append(done))
    assert told == []
    assert (second.source, second.fingerprint) == (first.source, first.fingerprint)


def test_a_replaced_file_is_hashed_again(tmp_path):
    from_file(write(tmp_path / FILE), "toy", SMALL)
    second = from_file(write(tmp_path / FILE, 255 - IMAGES), "toy", SMALL)
    assert second.fingerprint == sha256((255 - IMAGES).tobytes()).hexdigest()
    assert np.array_equal(second.raw(torch.tensor([5])).numpy()[0], 255 - IMAGES[5].transpose(2, 0, 1))


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


def test_read_only_folder_warns(tmp_path):
    path = write(tmp_path / f"{'x' * 240}.npz")  # for any user: a longer name beside it is no name
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"[Ff]ile name too long.*read whole at every opening"):
            dataset = from_file(path, "toy", SMALL)
        assert np.array_equal(dataset.raw(torch.tensor([7])).numpy()[0], IMAGES[7].transpose(2, 0, 1))
        assert dataset.fingerprint == sha256(IMAGES.tobytes()).hexdigest()
    assert list(tmp_path.iterdir()) == [path]


def test_no_checksum_in_source(tmp_path):
    path = write(tmp_path / VARIANTS["complex"].file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = from_file(path, "complex", SMALL)
    assert dataset.name == "mpi3d_complex"
    assert dataset.source == f"official file {path.name}, no checksum published"
    manifest = json.loads((tmp_path / f"{path.name}.json").read_text())
    assert manifest["file_sha256"] == sha256(path.read_bytes()).hexdigest()


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


def test_array_length_differs_from_header(tmp_path):
    for change in (-100, 100):
        with zipfile.ZipFile(tmp_path / FILE, "w") as archive, archive.open("images.npy", "w") as member:
            np.lib.format.write_array_header_1_0(
                member, {"descr": "|u1", "fortran_order": False, "shape": IMAGES.shape}
            )
            member.write(bytes(IMAGES.nbytes + change))
        with pytest.raises(ValueError, match=rf"'images' has {IMAGES.nbytes + change} bytes, not the {IMAGES.nbytes}"):
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


def test_file_in_root_and_subfolder(tmp_path, monkeypatch):
    small = VARIANTS | {"real": mpi3d.Variant(VARIANTS["real"].file, None, SMALL)}
    monkeypatch.setattr(mpi3d, "VARIANTS", small)
    write(tmp_path / "mpi3d" / small["real"].file)
    for source in ("auto", "file"):
        assert mpi3d.mpi3d(root=str(tmp_path), variant="real", source=source).name == "mpi3d_real"
    write(tmp_path / small["real"].file, 255 - IMAGES)
    dataset = mpi3d.mpi3d(root=str(tmp_path), variant="real", source="auto")
    assert dataset.fingerprint == sha256((255 - IMAGES).tobytes()).hexdigest()
    banded = {"factors": ["object_shape", "vertical_axis"], "width": 0.2}
    assert "correlated" in with_correlation(dataset, banded).source


@pytest.mark.parametrize("source", ["auto", "file"])
def test_a_missing_file_says_what_to_do(tmp_path, source):
    with pytest.raises(FileNotFoundError, match="no official file of mpi3d real") as caught:
        mpi3d.mpi3d(root=str(tmp_path), variant="real", source=source)
    for part in ("mpi3d_real.npz", str(tmp_path / "mpi3d"), mpi3d.PAGE, "dataset.root=", "LRX_DATA", "variant=toy"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variant", "source", "message"),
    [
        ("toys", "auto", "^variant must be one of toy, realistic, real, complex, not 'toys'"),
        ("real", "web", "^source must be one of auto, file, rendered, not 'web'"),
        ("real", "rendered", "mpi3d real is not rendered, toy is"),
    ],
)
def test_another_variant_or_source_is_refused(tmp_path, variant, source, message):
    with pytest.raises(ValueError, match=message):
        mpi3d.mpi3d(root=str(tmp_path), variant=variant, source=source)


@pytest.fixture
def few_tables(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """As if the renderer gave this table, and an image were a row of it."""
    table = np.arange(2 * 5, dtype=np.uint8).reshape(2, 5)

    class RowPixels:
        def __init__(self, table: np.ndarray) -> None:
            self.table = table

        def __len__(self) -> int:
            return FACTORS.num_points

        def __getitem__(self, indices: np.ndarray) -> np.ndarray:
            return np.broadcast_to(self.table[indices % 2, :1, None, None], (len(indices), 3, 64, 64)).copy()

    for name, value in {
        "RENDERER": "rows 1",
        "TABLE_SHAPE": table.shape,
        "TABLE_DTYPE": "uint8",
        "ArmPixels": RowPixels,
        "render_tables": lambda progress: iter([table[:1], table[1:]]),
    }.items():
        monkeypatch.setattr(mpi3d, name, value)
    return table


def test_rendered_toy_cache(tmp_path, few_tables, monkeypatch):
    dataset = mpi3d.mpi3d(root=str(tmp_path), variant="toy", source="auto")
    assert (dataset.name, dataset.source, dataset.factors) == ("mpi3d_toy", "rendered", FACTORS)
    assert dataset.raw(torch.tensor([0, 1_036_799]))[:, 2, 63, 63].tolist() == [0, 5]
    assert dataset.fingerprint == sha256(few_tables.tobytes()).hexdigest()
    monkeypatch.setattr(mpi3d, "render_tables", None)  # a second opening does not render
    again = mpi3d.mpi3d(root=str(tmp_path), variant="toy", source="rendered")
    assert again.fingerprint == dataset.fingerprint


@pytest.mark.usefixtures("few_tables")
def test_toy_file_before_renderer(tmp_path, monkeypatch):
    toy = mpi3d.Variant(FILE, VARIANTS["toy"].release, SMALL)
    monkeypatch.setattr(mpi3d, "VARIANTS", VARIANTS | {"toy": toy})
    with pytest.raises(FileNotFoundError, match=r"no official file of mpi3d: looked for mpi3d_toy.npz .*=rendered"):
        mpi3d.mpi3d(root=str(tmp_path), variant="toy", source="file")
    write(tmp_path / "mpi3d" / FILE)
    assert mpi3d.mpi3d(root=str(tmp_path), variant="toy", source="auto").source.startswith(f"official file {FILE}")
    assert mpi3d.mpi3d(root=str(tmp_path), variant="toy", source="rendered").source == "rendered"


@pytest.mark.parametrize("variant", VARIANTS)
def test_official_file_of_variant(variant):
    (file,) = official(variant=variant, addresses={VARIANTS[variant].file: "https://example.org/a", "other": "b"})
    assert (file.name, file.release) == (VARIANTS[variant].file, VARIANTS[variant].release)
    assert file.address == "https://example.org/a"
    assert official(variant=variant)[0].address is None


def test_official_files_of_other_grids():
    (sprites,), (shapes,) = dsprites.official(), shapes3d.official(addresses={"3dshapes.h5": "https://example.org/b"})
    assert (sprites.name, sprites.release, sprites.address) == (dsprites.NPZ, dsprites.RELEASES[".npz"], None)
    assert (shapes.name, shapes.num_bytes, shapes.address) == ("3dshapes.h5", 267_573_662, "https://example.org/b")
    assert {sprites.page, shapes.page} == {
        "https://github.com/google-deepmind/dsprites-dataset",
        "https://github.com/google-deepmind/3d-shapes",
    }
