"""Rendered dSprites against the official animation, pixel for pixel."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.data.render.dsprites import FACTORS, heart, render_positions, render_sprites, square
from lrx.data.store.pixels import pack

FRAMES = np.load(Path(__file__).parent / "dsprites_frames.npz")["imgs"]
HEARTS, ELLIPSES, SQUARES = range(96), range(96, 128), range(128, 160)
FINGERPRINT = "1962faac93970b1e05f0d645c23cdf52012c74b96732e63b6cc2eda7130f527b"


@dataclass
class Grid:
    """What one pass over all rendered images tells: their number, their SHA-256, and the first index of each frame."""

    num_images: int
    fingerprint: str
    index: dict[int, int]


@pytest.fixture(scope="module")
def grid() -> Grid:
    """Frames are found by a key of their bytes, then compared byte by byte."""
    frames = pack(FRAMES)
    weights = np.random.default_rng(0).integers(1, 2**63, size=64, dtype=np.uint64)
    keys = {int(key): frame for frame, key in enumerate(frames.view(np.uint64) @ weights)}
    content, num_images, index = hashlib.sha256(), 0, {}
    for block in render_sprites():
        found = block.view(np.uint64) @ weights
        for row in np.flatnonzero(np.isin(found, list(keys))):
            frame = keys[int(found[row])]
            if np.array_equal(block[row], frames[frame]):
                index.setdefault(frame, num_images + int(row))
        content.update(block.data)
        num_images += len(block)
    same = {frame: int(np.flatnonzero((frames == frames[frame]).all(axis=1))[-1]) for frame in range(len(frames))}
    return Grid(num_images, content.hexdigest(), {f: index[same[f]] for f in same if same[f] in index})


def test_official_frames_are_grid_images(grid):
    assert len(FRAMES) == 160
    assert sorted(grid.index) == list(range(160))


def test_animation_factor_direction(grid):
    """It shows hearts, then ellipses, then squares, and takes each factor through its classes in order.

    So shape, scale, orientation (its direction too), position_x and position_y are numbered as in the official file.
    """
    classes = FACTORS.classes(torch.tensor([grid.index[frame] for frame in range(160)]))
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


def test_position_directions():
    images = np.unpackbits(render_positions(heart()), axis=1).reshape(32, 32, 64, 64).astype(float)
    area = images.sum((2, 3))
    columns, rows = (images.sum(axis) @ np.arange(64) / area for axis in (2, 3))
    assert np.allclose(np.diff(columns, axis=0), 32 / 31, atol=0.15)
    assert np.allclose(np.diff(rows, axis=1), 32 / 31, atol=0.15)


def test_orientations_0_and_39_coincide():
    first_shape_and_scale = next(render_sprites()).reshape(40, 1024, 512)
    assert np.array_equal(first_shape_and_scale[0], first_shape_and_scale[39])
    assert not np.array_equal(first_shape_and_scale[0], first_shape_and_scale[38])


def test_square_covers_pixel_centres():
    """Half side 9.598 around (15.5, 15.5): centres 6 to 25 of 64 in each direction."""
    image = np.unpackbits(render_positions(square())[0]).reshape(64, 64)
    expected = np.zeros((64, 64), dtype=np.uint8)
    expected[6:26, 6:26] = 1
    assert np.array_equal(image, expected)


def test_the_grid_is_the_same_to_the_byte(grid):
    assert grid.num_images == FACTORS.num_points == 737_280
    assert grid.fingerprint == FINGERPRINT
