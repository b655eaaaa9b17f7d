"""MPI3D from small files made exactly in the official format, a sparse one of full size, and a renderer."""

import json
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.core.factors import FactorSpace
from lrx.data import dsprites, mpi3d, shapes3d
from lrx.data.correlation import with_correlation
from lrx.data.mpi3d import FACTORS, VARIANTS, from_file, official

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
