"""Rendered MPI3D toy against the official animations, and its solids against known distances."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrx.data.render.mpi3d import (
    FACTORS,
    RENDERER,
    STEPS,
    TABLE_DTYPE,
    TABLE_SHAPE,
    ArmPixels,
    render_grounds,
    render_images,
    render_rows,
    render_tables,
)
from lrx.data.render.mpi3d_scene import SCENE, Camera, body
from lrx.data.render.mpi3d_solids import FAR, Convex, box, cone, cylinder, meet, prism, pyramid, sphere
from scripts import fit_mpi3d

COLOUR, SHAPE, SIZE, CAMERA, BACKGROUND, HORIZONTAL, VERTICAL = range(7)
MIDDLE = np.array([3, 1, 1, 1, 1, 22, 21])  # a blue cube above the elbow
FRAMES = np.load(fit_mpi3d.OFFICIAL)["toy"].reshape(-1, 64, 64, 3)
CLASSES = fit_mpi3d.schedule().reshape(-1, 7)


def varied(factor: int, *, start: np.ndarray = MIDDLE) -> np.ndarray:
    """Images (size, 64, 64, 3) of all classes of one factor."""
    classes = np.tile(start, (FACTORS.sizes[factor], 1))
    classes[:, factor] = np.arange(len(classes))
    return fit_mpi3d.images_of(classes).astype(int)


def blueness(image: np.ndarray) -> np.ndarray:
    """Pixels (64, 64) of a blue object."""
    return image[..., 2] - image[..., 0] > 25


@pytest.fixture(scope="module")
def sparse() -> ArmPixels:
    """The pixel store with the rows of one camera and one setting of the horizontal axis alone."""
    table = np.zeros(TABLE_SHAPE, TABLE_DTYPE)
    table[:STEPS] = next(iter(render_tables(None)))
    return ArmPixels(table)


def test_official_frames_match() -> None:
    errors = fit_mpi3d.errors(fit_mpi3d.images_of(CLASSES), FRAMES)
    assert errors.mean() < 1.3
    assert errors.max() < 2.0


def test_neighbouring_classes_match_worse() -> None:
    """One frame of each panel, and not at the start: the classes are those that the animation has there."""
    frames = np.arange(7) * 20 + np.array([9, 12, 8, 3, 3, 14, 4])
    matches, _ = fit_mpi3d.best_matches(FRAMES[frames], CLASSES[frames])
    assert matches.tolist() == CLASSES[frames].tolist()


def test_animations_go_up_down_and_back() -> None:
    colours = CLASSES.reshape(7, 20, 7)[0, :, 0]
    assert colours.tolist() == [3, 4, 5, 5, 5, 5, 4, 3, 3, 2, 2, 1, 0, 0, 0, 0, 1, 2, 2, 3]


def test_color_names() -> None:
    white, green, red, blue, brown, olive = varied(COLOUR)[:, 8, 32]
    assert np.ptp(white) == 0
    assert white.min() > 150
    assert green.argmax() == 1
    assert red.argmax() == 0
    assert red[1] < 20
    assert blue.argmax() == 2
    assert brown[0] > brown[1] > brown[2]
    assert abs(olive[0] - olive[1]) < 4
    assert olive[2] < olive[0] / 2


def test_color_factors() -> None:
    colours, backgrounds = varied(COLOUR), varied(BACKGROUND)
    recoloured, turned = (np.ptp(images, axis=(0, 3)) > 30 for images in (colours, backgrounds))
    touched = (colours != colours[0]).any(axis=(0, 3))
    rows, columns = np.nonzero(touched)
    assert np.ptp(rows) < 24
    assert np.ptp(columns) < 24
    assert (recoloured == blueness(colours[3])).mean() > 0.99
    everywhere = (backgrounds != backgrounds[0]).any(axis=(0, 3))
    assert turned.sum() > 100
    assert not everywhere[40:].any()  # the ring is far behind the arm
    assert not (everywhere & (colours[0] > 200).all(axis=-1)).any()


def test_background_is_purple_green_or_salmon() -> None:
    purple, green, salmon = varied(BACKGROUND)[:, 19, 44]
    assert purple.argmax() == 2
    assert green.argmax() == 1
    assert salmon.argmax() == 0


def test_size_order() -> None:
    for shape in range(6):
        small, large = (
            blueness(image).sum() for image in varied(SIZE, start=MIDDLE + np.eye(7, dtype=int)[1] * (shape - 1))
        )
        assert 0.3 < small / large < 0.7


def test_cameras_go_from_high_to_low() -> None:
    """The ring, a circle on the floor, looks flatter from each."""
    grounds = render_grounds().reshape(3, 3, 3, 64, 64)[:, 1].astype(int)
    crests, sides = [], []
    for ground in grounds:
        ring = ground[1] - ground[0] > 12
        crests.append(int(ring[:, 32].argmax()))
        sides.append(int(ring[:, 60].argmax()))
    drops = np.subtract(sides, crests)
    assert drops[0] > drops[1] > drops[2] > 0
    assert crests == sorted(crests)


def test_arm_axes() -> None:
    places = []
    for classes in ([0, 21], [22, 21], [39, 21], [22, 0], [22, 39]):
        image = fit_mpi3d.images_of(np.array([[*MIDDLE[:5], *classes]]))[0].astype(int)
        rows, columns = np.nonzero(blueness(image))
        places.append((rows.mean(), columns.mean(), len(rows)))
    front, top, back, left, right = places
    assert front[0] > top[0] + 20
    assert back[0] > top[0] + 5
    assert front[2] > 1.5 * back[2]  # closer to the camera
    assert left[1] < top[1] < right[1]


def test_image_order(sparse: ArmPixels) -> None:
    assert len(sparse) == FACTORS.num_points == 1_036_800
    vertical, background, colour = 1, 40 * 40, 6 * 2 * 3 * 3 * 40 * 40
    index = colour * 3 + background * 2 + vertical * 17
    expected = fit_mpi3d.images_of(np.array([[3, 0, 0, 0, 2, 0, 17]]))[0]
    assert (sparse[np.array([index])][0].transpose(1, 2, 0) == expected).all()


def test_the_table_comes_in_order(sparse: ArmPixels) -> None:
    assert TABLE_SHAPE[0] == 3 * 40 * 40
    assert sparse.table[:STEPS].tobytes() == render_rows(np.arange(STEPS)).tobytes()
    told: list[tuple[int, int]] = []
    blocks = render_tables(lambda done, in_all: told.append((done, in_all)))
    next(blocks)
    next(blocks)
    assert told == [(40, 4800)]
    assert math.prod(TABLE_SHAPE) < 200e6


def test_an_image_does_not_depend_on_its_batch(sparse: ArmPixels) -> None:
    classes = np.random.default_rng(0).integers(0, FACTORS.sizes, (70, 7))
    classes[:, [CAMERA, HORIZONTAL]] = 0
    indices = np.ravel_multi_index(tuple(classes.T), FACTORS.sizes)
    batch = sparse[indices]
    assert batch.shape == (70, 3, 64, 64)
    assert batch.dtype == np.uint8
    for size in (1, 7, 64):
        parts = [sparse[indices[start : start + size]] for start in range(0, 70, size)]
        assert np.array_equal(np.concatenate(parts), batch)
    assert np.array_equal(render_images(indices[:9]), batch[:9])
    assert sparse[indices[:0]].shape == (0, 3, 64, 64)


def test_wrong_tables_and_indices_are_refused(sparse: ArmPixels) -> None:
    with pytest.raises(ValueError, match="expected"):
        ArmPixels(np.zeros((2, 5), np.uint8))
    for wrong in (-1, 1_036_800):
        with pytest.raises(IndexError, match=str(wrong)):
            sparse[np.array([0, wrong])]


def test_renderer_identity() -> None:
    assert RENDERER.startswith("lrx arm ")
    assert str(SCENE) in RENDERER


def test_camera_axes() -> None:
    camera = Camera(1.0, 2.0, 3.0, 0.3, 0.5, -0.2)
    np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera.axes) == pytest.approx(1)
    assert camera.axes[2, 2] == pytest.approx(-math.sin(0.5))
    np.testing.assert_allclose(Camera(0, 0, 0, 0, 0, 0).axes, [(1, 0, 0), (0, 0, -1), (0, 1, 0)], atol=1e-12)


def test_joints_turn_objects_around_the_axes() -> None:
    """Classes of the vertical axis keep the height, those of the horizontal axis the distance to the pivot."""
    turned = np.array([body(SCENE, 5, 1, 10, vertical).origin for vertical in range(40)])
    np.testing.assert_allclose(turned[:, 2], turned[0, 2])
    np.testing.assert_allclose(np.hypot(*turned[:, :2].T), np.hypot(*turned[0, :2]))
    pivot = np.array(SCENE.pivot)
    tilted = np.array([body(SCENE, 5, 1, horizontal, 0) for horizontal in range(40)], dtype=object)
    ends = np.array([one.origin + np.array([0, 0, 1.0]) @ one.axes for one in tilted])
    turn = SCENE.turn[0]
    here = np.array([(math.cos(turn), math.sin(turn), 0), (-math.sin(turn), math.cos(turn), 0), (0, 0, 1.0)])
    lengths = np.linalg.norm(ends - pivot @ here, axis=1)
    np.testing.assert_allclose(lengths, math.sqrt(1 + SCENE.grip[0] ** 2 + SCENE.grip[1] ** 2))


@pytest.mark.parametrize(
    ("solid", "across", "down"),
    [
        (box(1.0, 2.0, 0.0, 3.0), 9.0, 7.0),
        (prism(4, 1.0, 0.0, 3.0), 9.0, 7.0),
        (prism(6, 1.0, 0.0, 3.0), 9.0, 7.0),
        (cylinder(1.0, 0.0, 3.0), 9.0, 7.0),
        (pyramid(4, 2.0, 0.0, 2.0), 9.0, 8.0),
        (cone(2.0, 0.0, 2.0), 9.0, 8.0),
        (sphere(1.0, 1.0), 9.0, 8.0),
    ],
)
def test_rays_meet_solids_where_they_should(solid: Convex, across: float, down: float) -> None:
    """Along -x from (10, 0, 1) and along -z from (0, 0, 10); a ray beside the solid misses it."""
    reach, normals = meet(solid, np.array([10.0, 0.0, 1.0]), np.array([(-1.0, 0.0, 0.0), (-1.0, 3.0, 0.0)]))
    assert reach[0] == pytest.approx(across)
    assert reach[1] == FAR
    assert normals[0, 0] > 0.7
    assert normals[0, 1] == pytest.approx(0, abs=1e-9)
    reach, _ = meet(solid, np.array([0.0, 0.0, 10.0]), np.array([(1e-9, 0.0, -1.0), (3.0, 0.0, -1.0)]))
    assert reach[0] == pytest.approx(down)
    assert reach[1] == FAR


def test_a_cone_is_one_sided() -> None:
    """Rays that climb into it end at its skin, and nothing is met beyond the tip."""
    solid = cone(1.0, 0.0, 1.0)
    rays = np.array([(0.0, 0.0, 1.0), (0.25, 0.0, 1.0)])
    assert meet(solid, np.array([0.5, 0.0, -1.0]), rays)[0] == pytest.approx([1.0, 1.0])
    above = meet(solid, np.array([0.0, 5.0, 1.5]), np.array([(0.0, -1.0, 0.0)]))[0]
    assert above[0] == FAR
