"""Rendered dSprites against the official animation, pixel for pixel."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.data.dsprites import dsprites
from lrx.data.grid import GridDataset
from lrx.data.render.dsprites import FACTORS, render_positions, square

FRAMES = np.load(Path(__file__).parent / "data" / "dsprites_frames.npz")["imgs"]
POSITIONS = 32 * 32
TURNS = 40
HEARTS, ELLIPSES, SQUARES = range(96), range(96, 128), range(128, 160)
FINGERPRINT = "to be filled"


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> GridDataset:
    """The whole grid, rendered once: 377 MB."""
    return dsprites(root=str(tmp_path_factory.mktemp("data")), source="rendered")


@pytest.fixture(scope="module")
def matches(grid: GridDataset) -> tuple[np.ndarray, np.ndarray]:
    """Of each official frame: the best intersection over union in the grid, and the first index that reaches it.

    Images of one block (shape, scale, orientation) differ in position alone. A block is skipped where its areas are
    too far from that of the frame to come above 0.95.
    """
    frames = torch.from_numpy(FRAMES.reshape(len(FRAMES), -1)).float()
    areas = frames.sum(1)
    best, index = torch.zeros(len(frames)), torch.zeros(len(frames), dtype=torch.int64)
    for start in range(0, len(grid), POSITIONS):
        block = grid.raw(torch.arange(start, start + POSITIONS)).flatten(1)
        block_areas = torch.from_numpy(np.count_nonzero(block.numpy(), axis=1)).float()
        close = (areas > 0.95 * block_areas.min()) & (areas < block_areas.max() / 0.95)
        if not close.any():
            continue
        both = block.float().div_(255) @ frames[close].T
        overlap = both / (block_areas[:, None] + areas[close] - both)
        value, position = overlap.max(0)
        better = value > best[close]
        changed = torch.nonzero(close)[better, 0]
        best[changed], index[changed] = value[better], start + position[better]
    return best.numpy(), index.numpy()


def test_every_official_frame_is_an_image_of_the_grid_to_the_pixel(matches):
    overlap, _ = matches
    assert overlap.tolist() == [1.0] * 160


def test_the_animation_walks_the_factors_upwards(matches):
    """It shows hearts, then ellipses, then squares, and takes each factor through its classes in order.

    So shape, scale, orientation (its direction too), position_x and position_y are numbered as in the official file.
    """
    _, index = matches
    classes = FACTORS.classes(torch.from_numpy(index))
    shape, scale, orientation, x, y = (classes[:, factor] for factor in range(1, 6))
    for frames, expected in ((HEARTS, 2), (ELLIPSES, 1), (SQUARES, 0)):
        assert set(shape[list(frames)].tolist()) == {expected}
        start = frames[0]
        assert scale[start : start + 10].tolist() == [0, 2, 4, 5, 3, 1, 0, 2, 4, 5]
    assert orientation[10:29].tolist() == list(range(2, 40, 2))
    assert orientation[29:96].unique().tolist() == [0]
    assert y[30:45].tolist() == list(range(2, 32, 2))
    assert x[46:61].tolist() == list(range(2, 32, 2))
    assert y[62:77].tolist() == list(range(29, 0, -2))
    assert x[78:93].tolist() == list(range(29, 0, -2))


def test_position_x_moves_right_and_position_y_down(grid):
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    for factor, axis in ((4, columns), (5, rows)):
        walk = FACTORS.traversal(torch.tensor([0, 2, 5, 7, 9, 20]), factor)
        images = grid.images(FACTORS.index(walk))[:, 0]
        centres = (images * axis).sum((1, 2)) / images.sum((1, 2))
        assert torch.allclose(centres.diff(), torch.tensor(32 / 31), atol=0.1)


def test_orientations_0_and_39_coincide(grid):
    classes = FACTORS.classes(torch.arange(0, len(grid), 977))
    first, last = classes.clone(), classes.clone()
    first[:, 3], last[:, 3] = 0, TURNS - 1
    assert torch.equal(grid.raw(FACTORS.index(first)), grid.raw(FACTORS.index(last)))


def test_a_square_covers_the_pixels_whose_centres_it_holds():
    """Half side 9.598 around (15.5, 15.5): centres 6 to 25 of 64 in each direction."""
    image = np.unpackbits(render_positions(square())[0]).reshape(64, 64)
    expected = np.zeros((64, 64), dtype=np.uint8)
    expected[6:26, 6:26] = 1
    assert np.array_equal(image, expected)


def test_the_grid_is_the_same_to_the_byte(grid):
    assert len(grid) == 737_280
    assert grid.observation_shape == (1, 64, 64)
    assert grid.source == "rendered"
    assert grid.fingerprint == FINGERPRINT
