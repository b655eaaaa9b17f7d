"""Rendered 3D Shapes against the official figure and animation."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from lrx.data.render.compose import ComposedPixels
from lrx.data.render.shapes3d import (
    FLOOR,
    HUE_LEVELS,
    OBJECT,
    ORIENTATIONS,
    SCALES,
    SHAPES,
    SKY,
    SKY_RGB,
    UNITS,
    WALL,
    Room,
    Scene,
    render_geometries,
)
from scripts import fit_shapes3d

SIZES = (10, 10, 10, 8, 4, 15)
FULL = HUE_LEVELS.max()  # the level of a channel at 1
CUBE, CYLINDER, SPHERE, CAPSULE = range(4)
AHEAD = 7  # the orientation of 0 degrees
OFFICIAL = np.load(fit_shapes3d.OFFICIAL)


@pytest.fixture(scope="module")
def maps() -> np.ndarray:
    return render_geometries()


@pytest.fixture(scope="module")
def pixels(maps: np.ndarray) -> ComposedPixels:
    return ComposedPixels(maps)


@pytest.fixture(scope="module")
def animation(pixels: ComposedPixels) -> tuple[np.ndarray, np.ndarray]:
    """Factor classes, (53, 6), and errors, (53,), of the best matches of the animation's frames."""
    matches = [fit_shapes3d.best_match(pixels, frame) for frame in OFFICIAL["traversal"]]
    return np.stack(np.unravel_index([index for index, _ in matches], SIZES), axis=-1), np.array(matches)[:, 1]


def grey(
    maps: np.ndarray, material: int, *, scale: int = 4, shape: int = SPHERE, orientation: int = AHEAD
) -> np.ndarray:
    """What a material adds to a channel at 1, (64, 64) grey levels."""
    geometry = (scale * len(SHAPES) + shape) * len(ORIENTATIONS) + orientation
    return maps[geometry, material + FULL] / UNITS


def picture(pixels: ComposedPixels, **classes: int) -> np.ndarray:
    """One image, (64, 64, 3), named by its factor classes; 0 where none is given."""
    names = ("floor", "wall", "body", "scale", "shape", "orientation")
    index = np.ravel_multi_index([classes.get(name, 0) for name in names], SIZES)
    return pixels[np.array([index])][0].transpose(1, 2, 0).astype(int)


def test_official_images_match_resampled(pixels: ComposedPixels) -> None:
    errors = [fit_shapes3d.best_match(pixels, image, n)[1] for n, image in [*enumerate(OFFICIAL["samples"])][::3]]
    assert np.mean(errors) < 1.0
    assert np.max(errors) < 2.0


def test_official_images_match_unresampled(pixels: ComposedPixels) -> None:
    """Their figure took some rows twice and lost others: an exact render differs there."""
    errors = [fit_shapes3d.best_match(pixels, image)[1] for image in OFFICIAL["samples"]]
    assert np.mean(errors) < 3.0
    assert np.max(errors) < 4.5


def test_animation_matches(animation: tuple[np.ndarray, np.ndarray]) -> None:
    _, errors = animation
    assert errors.mean() < 4
    assert errors.max() < 7


def test_animation_factor_order(animation: tuple[np.ndarray, np.ndarray]) -> None:
    """From an end of each sweep to the other end, or once around the hues."""
    factors, _ = animation
    sweeps = [
        (range(15), 5, range(15)),
        (range(14, 18), 4, range(4)),
        (range(17, 25), 3, range(8)),
        (range(24, 34), 2, [3, 4, 5, 6, 7, 8, 9, 0, 1, 2]),
        (range(33, 39), 1, [6, 7, 8, 9, 0, 1]),
        (range(46, 53), 0, [0, 4, 5, 6, 7, 8, 9]),
    ]
    for frames, factor, classes in sweeps:
        rest = [other for other in range(6) if other != factor]
        assert factors[frames, factor].tolist() == list(classes)
        assert (factors[frames][:, rest] == factors[frames[0], rest]).all()


def test_hues_are_ten_equal_steps_from_red() -> None:
    expected = [colorsys.hsv_to_rgb(hue / 10, 1, 1) for hue in range(10)]
    np.testing.assert_allclose(HUE_LEVELS / FULL, expected, atol=1e-12)


@pytest.mark.parametrize(("name", "place"), [("floor", (62, 4)), ("wall", (28, 4)), ("body", (45, 32))])
def test_each_hue_colours_its_own_surface(pixels: ComposedPixels, name: str, place: tuple[int, int]) -> None:
    for hue, levels in enumerate(HUE_LEVELS):
        colour = picture(pixels, **{name: hue}, shape=SPHERE, scale=7, orientation=AHEAD)[place]
        assert (colour[levels == FULL] > 180).all()
        assert (colour[levels == 0] < 60).all()


def test_scale_and_shape_order(maps: np.ndarray) -> None:
    areas = np.array([[(grey(maps, OBJECT, scale=s, shape=k) > 100).sum() for k in range(4)] for s in range(8)])
    assert (np.diff(areas, axis=0) > 0).all()
    cube, sphere, capsule = (grey(maps, OBJECT, shape=shape) > 100 for shape in (CUBE, SPHERE, CAPSULE))
    assert (cube[cube.any(axis=1)].sum(axis=1) >= 19).all()  # straight sides
    assert np.ptp(sphere.sum(axis=0).max() - sphere.sum(axis=1).max()) <= 2  # as wide as high
    assert capsule.sum(axis=0).max() > 1.5 * capsule.sum(axis=1).max()


def test_orientation_direction(maps: np.ndarray) -> None:
    first, last = (grey(maps, WALL, orientation=orientation)[28] for orientation in (0, 14))
    assert first[-6:].mean() < 0.9 * first[:6].mean()  # the dimmer side wall
    assert last[:6].mean() < 0.9 * last[-6:].mean()


def test_shadow_keeps_hue(pixels: ComposedPixels) -> None:
    image = picture(pixels, floor=1, wall=5, body=7, scale=7, shape=SPHERE, orientation=AHEAD)
    shadow, light = image[55, 42], image[62, 30]
    assert shadow[0] < 0.5 * light[0]
    assert shadow[1] / shadow[0] == pytest.approx(0.6, abs=0.05)
    assert shadow[2] < 5


def test_sky_is_flat(pixels: ComposedPixels) -> None:
    assert (picture(pixels, shape=CUBE, orientation=3)[:8] == SKY_RGB).all()


def test_edge_antialiasing(maps: np.ndarray) -> None:
    across = grey(maps, OBJECT, shape=CUBE)[45]
    assert ((across > 20) & (across < 200)).any()  # a pixel shared with the background
    assert across.min() < -5  # the lobe beside it


def test_geometry_is_reproducible(maps: np.ndarray) -> None:
    scene = Scene()
    for number, orientation in ((0, 0), (217, 7), (479, 14)):
        scale, shape, _ = np.unravel_index(number, (8, 4, 15))
        again = Room(scene, ORIENTATIONS[orientation]).furnished(
            SHAPES[shape], scene.solids[shape].scaled(SCALES[scale])
        )
        assert number % 15 == orientation
        assert again.tobytes() == maps[number].tobytes()


def test_partial_tracing(maps: np.ndarray) -> None:
    """The window around an object misses nothing: traced whole, the picture is the same."""
    scene = Scene()
    room = Room(scene, ORIENTATIONS[2])
    room._changed = lambda *_: (slice(0, 64), slice(0, 64))  # type: ignore[method-assign]
    for shape in range(4):
        whole = room.furnished(SHAPES[shape], scene.solids[shape].scaled(SCALES[7]))
        assert (whole == maps[(7 * 4 + shape) * 15 + 2]).all()


def test_an_image_does_not_depend_on_its_batch(pixels: ComposedPixels) -> None:
    indices = np.random.default_rng(0).integers(0, len(pixels), 130)
    batch = pixels[indices]
    assert batch.shape == (130, 3, 64, 64)
    assert batch.dtype == np.uint8
    for size in (1, 7, 64):
        parts = [pixels[indices[start : start + size]] for start in range(0, 130, size)]
        assert np.array_equal(np.concatenate(parts), batch)
    assert pixels[indices[:0]].shape == (0, 3, 64, 64)


def test_the_sum_of_maps_is_the_image(pixels: ComposedPixels, maps: np.ndarray) -> None:
    index = np.ravel_multi_index((3, 8, 5, 5, 1, 0), SIZES)
    geometry = maps[index % 480].astype(int)
    levels = zip((FLOOR, WALL, OBJECT), HUE_LEVELS[[3, 8, 5]], strict=True)
    total = geometry[SKY : SKY + 3] + sum(geometry[first + level] for first, level in levels)
    expected = np.clip(np.floor(total / UNITS + 0.5), 0, 255)
    assert (pixels[np.array([index])][0] == expected).all()


def test_wrong_maps_and_indices_are_refused(pixels: ComposedPixels) -> None:
    assert len(pixels) == 480_000
    with pytest.raises(ValueError, match="expected"):
        ComposedPixels(np.zeros((2, 21, 64, 64), np.int16))
    for wrong in (-1, 480_000):
        with pytest.raises(IndexError, match=str(wrong)):
            pixels[np.array([0, wrong])]
