"""MPI3D toy, rendered: a table of the arm and of what it carries, from which all 1,036,800 images are composed.

    image = ground * visible + arm + light * colour

with ground the floor and its ring, visible the part of a pixel in which neither arm nor object hides it, arm the grey
of the arm in front of everything, and light that of the object's visible part. Without the object these depend on
camera and joints alone; with it they differ in a small window around the object. The 12.7 GB of images need never
exist on disk.

Factors and order: Gondal et al., "On the Transfer of Inductive Bias from Simulation to the Real World: a New
Disentanglement Dataset", NeurIPS 2019. The scene is fitted to official frames; see `mpi3d_scene`.

Shapes: B images; W = WINDOW, side of an object's window.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from lrx.core.factors import FactorSpace
from lrx.data.render.mpi3d_scene import SCENE, SHAPES, Placed, Scene, arm, body
from lrx.data.render.mpi3d_solids import FAR, Array
from lrx.data.render.mpi3d_view import RAYS, SIDE, Layer, View, pixels

Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

FACTORS = FactorSpace(
    names=(
        "object_color",
        "object_shape",
        "object_size",
        "camera_height",
        "background_color",
        "horizontal_axis",
        "vertical_axis",
    ),
    sizes=(6, 6, 2, 3, 3, 40, 40),
)
RENDERER = f"lrx arm 1, {SCENE}"  # its number is to be raised with every change of a pixel that the scene does not show
STEPS = 40  # of each joint
BODIES = len(SHAPES) * 2  # shapes, small before large
WINDOW = 24
UNIT = 192  # the light of 1; objects close below the lamps pass it, bytes end at 255

# white, green, red, blue, brown and olive: grey levels in a light of 1
COLOURS = np.array(
    [(255, 255, 255), (45, 173, 45), (237, 5, 5), (47, 121, 233), (94, 59, 40), (138, 136, 56)], np.int32
)

_AREA, _PATCH = SIDE * SIDE, WINDOW * WINDOW
_TOGETHER = 8  # images composed at once: their sums stay in a core's cache
# A row is one camera and one setting of the joints: visible and arm of the whole picture; then for every object the
# first row and column of its window, and visible, arm and light in it.
_OBJECT = 2 + 3 * _PATCH
TABLE_SHAPE = (3 * STEPS * STEPS, 2 * _AREA + BODIES * _OBJECT)
TABLE_DTYPE = "uint8"


def render_tables(progress: Callable[[int, int], None] | None) -> Iterator[Bytes]:
    """Yield the table in order, in blocks (40, TABLE_SHAPE[1]) of one camera and one horizontal axis setting.

    Args:
        progress: called with (rows done, all rows).
    """
    for start in range(0, TABLE_SHAPE[0], STEPS):
        yield render_rows(start + np.arange(STEPS))
        if progress is not None:
            progress(start + STEPS, TABLE_SHAPE[0])


def render_rows(rows: Indices, *, scene: Scene = SCENE) -> Bytes:
    """Render rows of the table, (len(rows), TABLE_SHAPE[1]); row = (camera * 40 + horizontal) * 40 + vertical."""
    views: dict[int, View] = {}
    table = np.empty((len(rows), TABLE_SHAPE[1]), np.uint8)
    for number, row in enumerate(rows.tolist()):
        camera, horizontal, vertical = row // STEPS**2, row // STEPS % STEPS, row % STEPS
        if camera not in views:
            views[camera] = View(scene, camera)
        still = views[camera].layer(arm(scene, horizontal, vertical))
        table[number, : 2 * _AREA] = _levels(still.reach == FAR, still.light).ravel()
        for place in range(BODIES):
            carried = body(scene, place // 2, place % 2, horizontal, vertical)
            start = 2 * _AREA + place * _OBJECT
            table[number, start : start + _OBJECT] = _object(views[camera], still, carried)
    return table


class ArmPixels:
    """Store of the 1,036,800 images of MPI3D toy in the order of FACTORS, composed on demand.

    Args:
        table: TABLE_SHAPE uint8, the blocks of `render_tables` one after the other; may be a `np.memmap`.
        scene: the scene that the table was rendered from.

    Raises:
        ValueError: if `table` has another shape or type.
    """

    def __init__(self, table: Bytes, *, scene: Scene = SCENE) -> None:
        if table.shape != TABLE_SHAPE or table.dtype != TABLE_DTYPE:
            raise ValueError(f"table is {table.shape} {table.dtype}, expected {TABLE_SHAPE} {TABLE_DTYPE}")
        self.table = np.asarray(table)
        self.grounds = render_grounds(scene=scene)

    def __len__(self) -> int:
        """Return 1,036,800."""
        return FACTORS.num_points

    def __getitem__(self, indices: Indices) -> Bytes:
        """Compose images; integers only, so the bytes of an image do not depend on its batch.

        Args:
            indices: (B,) int64 in [0, 1036800).

        Returns:
            (B, 3, 64, 64) uint8.

        Raises:
            IndexError: if an index is outside the grid.
        """
        classes = _classes(indices)
        return _composed(self.table, self.grounds, classes, _rows(classes))


def render_images(indices: Indices, *, scene: Scene = SCENE) -> Bytes:
    """Render images (B, 3, 64, 64) at indices (B,), byte for byte those of the full table, without all of it."""
    classes = _classes(indices)
    rows, places = np.unique(_rows(classes), return_inverse=True)
    return _composed(render_rows(rows, scene=scene), render_grounds(scene=scene), classes, places)


def render_grounds(*, scene: Scene = SCENE) -> Bytes:
    """Render the floor and ring of each camera and background class, (3, 3, 3, 4096): camera, class, rgb."""
    views = [View(scene, camera) for camera in range(3)]
    pictures = [[view.ground(background) for background in range(3)] for view in views]
    return _bytes(np.array(pictures)).transpose(0, 1, 4, 2, 3).reshape(3, 3, 3, _AREA)


def _object(view: View, still: Layer, carried: Placed) -> Bytes:
    """Render one object of a row: where its window is, and visible, arm and light in it."""
    traced, reach, light = view.trace(carried)
    first = [min(part.start // RAYS, SIDE - WINDOW) for part in traced]
    window = tuple(slice(RAYS * start, RAYS * (start + WINDOW)) for start in first)
    behind, arm_light = still.reach[window], still.light[window].copy()
    object_light = np.zeros_like(arm_light)
    inner = tuple(
        slice(part.start - RAYS * start, part.stop - RAYS * start) for part, start in zip(traced, first, strict=True)
    )
    front = reach < behind[inner]
    object_light[inner][front] = light[front]
    arm_light[inner][front] = 0.0
    visible = behind == FAR
    visible[inner] &= ~front
    levels = _levels(visible, arm_light)
    return np.concatenate([np.array(first, np.uint8), levels.ravel(), _bytes(UNIT * pixels(object_light)).ravel()])


def _levels(visible: npt.NDArray[np.bool_], light: Array) -> Bytes:
    """Return the share of every pixel in which the ground is visible and grey levels of the arm, (2, p, q)."""
    seen = _bytes(255 * pixels(visible))
    return np.stack([seen, np.minimum(_bytes(255 * pixels(light)), 255 - seen)])  # their sum never passes a byte


def _bytes(levels: Array) -> Bytes:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _classes(indices: Indices) -> Indices:
    """Return factor classes, (7, B)."""
    if indices.size and not (indices.min() >= 0 and indices.max() < FACTORS.num_points):
        span = f"[{indices.min()}, {indices.max()}]"
        raise IndexError(f"indices span {span}, expected [0, {FACTORS.num_points})")
    return np.stack(np.unravel_index(indices, FACTORS.sizes))


def _rows(classes: Indices) -> Indices:
    """Return rows of the table, (B,)."""
    _, _, _, camera, _, horizontal, vertical = classes
    rows: Indices = (camera * STEPS + horizontal) * STEPS + vertical
    return rows


def _composed(table: Bytes, grounds: Bytes, classes: Indices, rows: Indices) -> Bytes:
    """Compose images (B, 3, 64, 64) of these classes from these rows of (part of) the table."""
    images = np.empty((len(rows), 3, _AREA), np.uint8)
    objects = table[:, 2 * _AREA :].reshape(-1, BODIES, _OBJECT)
    for start in range(0, len(rows), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        colour, shape, size, camera, background, _, _ = classes[:, some]
        ground = grounds[camera, background]
        visible, grey = table[rows[some], : 2 * _AREA].reshape(-1, 2, 1, _AREA).swapaxes(0, 1)
        images[some] = _over(ground, visible, grey)

        carried = objects[rows[some], shape * 2 + size]
        corner = carried[:, :2].astype(np.int64) @ np.array([SIDE, 1])
        place = (corner[:, None] + _WINDOW_PLACES)[:, None]
        visible, grey, light = carried[:, 2:].reshape(-1, 3, 1, _PATCH).swapaxes(0, 1)
        patch = _over(np.take_along_axis(ground, place, axis=2), visible, grey)
        coloured = (light * COLOURS[colour, :, None] + UNIT // 2) // UNIT
        np.put_along_axis(images[some], place, np.minimum(patch + coloured, 255).astype(np.uint8), axis=2)
    return images.reshape(-1, 3, SIDE, SIDE)


def _over(ground: Bytes, visible: Bytes, grey: Bytes) -> npt.NDArray[np.uint16]:
    """Return ground visible / 255 + grey; at most 255 for what `_levels` gives."""
    product = ground.astype(np.uint16)
    product *= visible
    product += 255  # makes the shift exact where the ground is visible whole
    product >>= 8
    product += grey
    return product


_WINDOW_PLACES = (np.arange(WINDOW)[:, None] * SIDE + np.arange(WINDOW)).ravel()
