"""Full factor grids: the pixel stores, and the cache that they are mapped from."""

import mmap
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.core.factors import FactorSpace
from lrx.core.types import FactorDataset, as_float
from lrx.data.grid import GridDataset
from lrx.data.store.cache import Origin, Recipe, open_or_convert
from lrx.data.store.pixels import ROWS_MAPPED, MappedPixels, MappedRows, PackedPixels, pack

FACTORS = FactorSpace(names=("shape", "scale"), sizes=(3, 4))
IMAGES = np.arange(12 * 8 * 16, dtype=np.int64).reshape(12, 8, 16) % 7 % 2
COLOURS = (np.arange(12 * 8 * 16 * 3) % 251).astype(np.uint8).reshape(12, 8, 16, 3)


def packed_recipe(renderer: str = "test 1") -> Recipe:
    return Recipe("toy", (12, 16), "uint8", FACTORS, Origin(renderer=renderer))


def packed_blocks() -> list[np.ndarray]:
    bits = pack(IMAGES.astype(np.uint8))
    return [bits[:5], bits[5:]]


@pytest.fixture
def grid(tmp_path: Path) -> GridDataset:
    cache = open_or_convert(tmp_path / "toy", packed_recipe(), packed_blocks)
    pixels = PackedPixels(cache.pixels, num_images=12, height=8, width=16)
    return GridDataset(name="toy", source="rendered", fingerprint=cache.fingerprint, factors=FACTORS, pixels=pixels)


def test_packed_pixels_are_read_as_0_and_255(grid):
    assert isinstance(grid, FactorDataset)
    assert grid.observation_shape == (1, 8, 16)
    indices = torch.tensor([11, 0, 3, 3])
    raw = grid.raw(indices)
    assert raw.dtype == torch.uint8
    assert raw.tolist() == (IMAGES[indices][:, None] * 255).tolist()
    assert as_float(grid.raw(indices)).dtype == torch.float32
    assert as_float(grid.raw(indices)).tolist() == IMAGES[indices][:, None].tolist()


def test_mapped_pixels_come_channel_first(tmp_path):
    COLOURS.tofile(tmp_path / "colours")
    store = MappedPixels(tmp_path / "colours", shape=COLOURS.shape)
    assert len(store) == 12
    assert np.array_equal(store[np.array([7, 2])], COLOURS[[7, 2]].transpose(0, 3, 1, 2))


@pytest.mark.parametrize("num_rows", [0, 1, ROWS_MAPPED, ROWS_MAPPED + 1, 5 * ROWS_MAPPED])
@pytest.mark.parametrize("row_bytes", [7, 2 * mmap.PAGESIZE + 5])
def test_mapped_rows(tmp_path, row_bytes, num_rows):
    rows = np.random.default_rng(0).integers(0, 256, size=(50, row_bytes), dtype=np.uint8)
    (tmp_path / "rows").write_bytes(b"before" * 3 + rows.tobytes() + b"after")
    mapped = MappedRows(tmp_path / "rows", shape=rows.shape, offset=18)
    indices = np.random.default_rng(1).integers(0, 50, size=num_rows)
    assert np.array_equal(mapped[indices], rows[indices])


def test_resident_memory(tmp_path):
    """Reading 300 MB in batches of 3 MB leaves less than 30 MB resident."""
    shape = (25_000, 64, 64, 3)
    with open(tmp_path / "zeros", "wb") as file:
        file.truncate(int(np.prod(shape)))
    store = MappedPixels(tmp_path / "zeros", shape=shape)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    store[np.arange(250)]
    before = resident()
    for start in range(0, len(store), 250):
        assert not store[np.arange(start, start + 250)].any()
    assert resident() - before < 30e6


def test_empty_batch(grid):
    assert as_float(grid.raw(torch.zeros(0, dtype=torch.int64))).shape == (0, 1, 8, 16)


def test_only_zeros_and_ones_are_packed():
    with pytest.raises(ValueError, match="hold 0 and 1, not 2"):
        pack(np.full((1, 8, 8), 2, dtype=np.uint8))


@pytest.mark.parametrize("index", [-1, 12])
def test_an_index_outside_the_grid_is_named(grid, index):
    with pytest.raises(IndexError, match=rf"no image {index} in toy: indices run from 0 to 11"):
        grid.raw(torch.tensor([0, index]))


def test_wrong_grid_size(tmp_path):
    COLOURS.tofile(tmp_path / "colours")
    store = MappedPixels(tmp_path / "colours", shape=COLOURS.shape)
    space = FactorSpace(names=("shape", "scale"), sizes=(3, 5))
    with pytest.raises(ValueError, match=r"holds 12 images.*has 15 points"):
        GridDataset(name="toy", source="", fingerprint="", factors=space, pixels=store)
