"""The 480 geometries of 3D Shapes, ray traced into maps from which every hue of floor, wall and object follows.

    colour = min(1, rgb (ambient + headlight max(0, -n.v) + lamp max(0, n.l) max(0, -l.d)^e)) + highlights

with n the normal, v the viewing direction, l the direction to the lamp, d the lamp's axis: OpenGL's fixed pipeline with
one camera headlight and one spot lamp, traced at 192 x 192 without antialiasing and reduced to 64 x 64 by Lanczos-3.

Source: Burgess and Kim, "3D Shapes Dataset", 2018, rendered with MuJoCo's room of the Generative Query Networks data.
The constants of `Scene` are fitted to 25 official images by `scripts/fit_shapes3d.py`. Lengths are in units in which the
sphere of scale 1 has diameter 1; x points right, y away from the camera at orientation 0, z up; angles in degrees.

Shape suffixes: P = 192, side of the traced picture; R, rays; 3, world coordinates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Grey = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SCALES = np.linspace(0.75, 1.25, 8)
SHAPES = ("cube", "cylinder", "sphere", "capsule")
ORIENTATIONS = np.linspace(-30.0, 30.0, 15)  # azimuth of the camera, degrees
NUM_GEOMETRIES = len(SCALES) * len(SHAPES) * len(ORIENTATIONS)

# Channels of the saturated hues 0, 0.1, ... 0.9, in fifths: red is (5, 0, 0), hue 0.1 is (5, 3, 0).
HUE_LEVELS = np.array(
    [(5, 0, 0), (5, 3, 0), (4, 5, 0), (1, 5, 0), (0, 5, 2), (0, 5, 5), (0, 2, 5), (1, 0, 5), (4, 0, 5), (5, 0, 3)]
)
NUM_LEVELS = 6
FLOOR, WALL, OBJECT, SKY, NUM_MAPS = 0, 6, 12, 18, 21  # first map: of six levels of three materials, of the sky's rgb
SKY_RGB = (153, 226, 249)  # grey levels, flat in every official image
UNITS = 64  # maps are integers in 1 / 64 of a grey level

_SIDE, _REDUCTION = 64, 3
_LOBES = 3  # of the Lanczos filter, in pixels to either side
_WEIGHT, _PARTS = 4096, 8  # sum of the filter's integer weights; parts of a grey level kept between its two passes
_FAR = 1e6  # a ray that meets nothing, and 1 / _FAR for one that is parallel


@dataclass(frozen=True)
class Solid:
    """Half sizes of one shape at scale 1 and the height of its centre; all three grow with the scale."""

    radius: float  # half the side of the cube
    half: float  # half the height, without the round ends of sphere and capsule
    centre: float

    def scaled(self, scale: float) -> "Solid":
        """The same shape at another scale."""
        return Solid(self.radius * scale, self.half * scale, self.centre * scale)


@dataclass(frozen=True)
class Scene:
    """Where things stand and how they are lit."""

    distance: float = 3.0  # camera to object, horizontally
    height: float = 0.917  # of the camera
    pitch: float = 0.0076  # of the camera, downwards, radians
    focal: float = 69.9351  # pixels of the 64 x 64 image
    back: float = 4.0799  # y of the back wall
    side: float = 4.0558  # |x| of the side walls
    top: float = 2.3076  # of the walls
    ambient: float = 0.3483
    headlight: float = 0.5771
    lamp: float = 0.9428
    lamp_exponent: float = 8.6563
    lamp_position: tuple[float, float, float] = (-1.5702, 0.3994, 8.1399)
    lamp_axis: tuple[float, float, float] = (-0.0176, 0.0156, -1.0)
    body_light: tuple[float, float, float] = (
        0.36,
        0.5859,
        0.9735,
    )  # ambient, headlight, lamp: the object has no texture
    highlight: tuple[float, float] = (0.1223, 1.0)  # white, of the lamp on the object: gain and exponent
    foot: tuple[float, float] = (0.0, 0.0)  # x and y of the object
    solids: tuple[Solid, ...] = (
        Solid(0.4138, 0.4138, 0.4215),
        Solid(0.4411, 0.4445, 0.4511),
        Solid(0.4994, 0.0, 0.51),
        Solid(0.4062, 0.4102, 0.8259),
    )


def render_geometries(
    progress: Callable[[int, int], None] | None = None, *, scene: Scene | None = None
) -> npt.NDArray[np.int16]:
    """Trace every geometry.

    Args:
        progress: called with (geometries done, all geometries).
        scene: another scene than the fitted one, to fit it.

    Returns:
        (480, NUM_MAPS, 64, 64) int16 in 1 / UNITS of a grey level, ordered (scale, shape, orientation), last fastest.
    """
    scene = scene or Scene()
    maps = np.empty((len(SCALES), len(SHAPES), len(ORIENTATIONS), NUM_MAPS, _SIDE, _SIDE), np.int16)
    done = 0
    for o, azimuth in enumerate(ORIENTATIONS):
        room = _Room(scene, azimuth)
        for s, scale in enumerate(SCALES):
            for k, shape in enumerate(SHAPES):
                maps[s, k, o] = room.furnished(shape, scene.solids[k].scaled(scale))
                done += 1
                if progress is not None:
                    progress(done, NUM_GEOMETRIES)
    return maps.reshape(NUM_GEOMETRIES, NUM_MAPS, _SIDE, _SIDE)


class _Room:
    """The empty room seen from one azimuth (degrees), into which an object is put."""

    def __init__(self, scene: Scene, azimuth: float) -> None:
        self.scene = scene
        turn = np.deg2rad(azimuth)
        right = np.array([np.cos(turn), np.sin(turn), 0.0])
        ahead = np.array([-np.sin(turn), np.cos(turn), 0.0])
        rise, run = np.sin(scene.pitch), np.cos(scene.pitch)
        self.view = run * ahead - np.array([0.0, 0.0, rise])
        down = -rise * ahead - np.array([0.0, 0.0, run])
        across = (np.arange(_SIDE * _REDUCTION) + 0.5) / _REDUCTION - _SIDE / 2
        u, v = np.meshgrid(across / scene.focal, across / scene.focal)
        self.eye = -scene.distance * ahead + np.array([0.0, 0.0, scene.height])
        self.rays = self.view + u[..., None] * right + v[..., None] * down
        self.surface, self.points = self._planes()
        self.picture = self._empty()
        self.maps = _reduce(self.picture, slice(0, _SIDE), slice(0, _SIDE))

    def _planes(self) -> tuple[npt.NDArray[np.int64], Array]:
        """What every ray meets, 0 floor, 1 back wall, 2 left wall, 3 right wall, 4 sky, and where."""
        x, y, z = np.moveaxis(self.rays, -1, 0)
        side = self.scene.side
        gaps = (
            (-self.eye[2], z),
            (self.scene.back - self.eye[1], y),
            (-side - self.eye[0], x),
            (side - self.eye[0], x),
        )
        reach = np.stack([gap / np.where(step == 0, 1 / _FAR, step) for gap, step in gaps])
        reach[reach < 0] = _FAR
        surface = reach.argmin(axis=0)
        points = self.eye + reach.min(axis=0)[..., None] * self.rays
        return np.where((surface > 0) & (points[..., 2] > self.scene.top), 4, surface), points

    def _empty(self) -> Grey:
        """What each material of the empty room adds to a channel, (NUM_MAPS, P, P), in whole grey levels."""
        inward = np.array([(0, 0, 1), (0, -1, 0), (1, 0, 0), (-1, 0, 0), (0, 0, 0)], dtype=np.float64)
        normals = inward[self.surface]
        light = self._dim(normals) + self.scene.lamp * self._lamp(self.points, normals)[0]
        picture = np.zeros((NUM_MAPS, *light.shape), np.float32)
        floor, sky = self.surface == 0, self.surface == 4
        for first, there in ((FLOOR, floor), (WALL, ~floor & ~sky)):
            picture[first : first + NUM_LEVELS, there] = _grey_levels(light[there])
        picture[SKY:, sky] = np.array(SKY_RGB)[:, None]
        return picture

    def furnished(self, shape: str, solid: Solid) -> npt.NDArray[np.int16]:
        """Maps, (NUM_MAPS, 64, 64), of the room with an object in it; only the part that it changes is traced."""
        rows, columns = self._changed(shape, solid)
        window = (_traced(rows), _traced(columns))
        picture = self.picture[:, *window].copy()
        body, shadow, reach, normals = self._objects(shape, solid, window)
        points = self.eye + reach[body, None] * self.rays[window][body]
        picture[:, body] = 0
        picture[OBJECT : OBJECT + NUM_LEVELS, body] = _grey_levels(*self._body(points, normals[body]))
        ground = np.broadcast_to(np.array([0.0, 0.0, 1.0]), (np.count_nonzero(shadow), 3))
        picture[FLOOR : FLOOR + NUM_LEVELS, shadow] = _grey_levels(self._dim(ground))
        maps = self.maps.copy()
        maps[:, rows, columns] = _reduce(picture, rows, columns)
        return maps

    def _changed(self, shape: str, solid: Solid) -> tuple[slice, slice]:
        """Rows and columns of the 64 x 64 image that an object or its shadow reaches, through the filter too."""
        centres = slice(_REDUCTION // 2, None, _REDUCTION)
        body, shadow, _, _ = self._objects(shape, solid, (centres, centres))
        margin = 1 + _LOBES  # one pixel between two centres
        ranges = []
        for axis in (1, 0):
            touched = np.flatnonzero((body | shadow).any(axis=axis))
            ranges.append(slice(max(0, touched[0] - margin), min(_SIDE, touched[-1] + 1 + margin)))
        return ranges[0], ranges[1]

    def _objects(self, shape: str, solid: Solid, window: tuple[slice, slice]) -> tuple[Mask, Mask, Array, Array]:
        """Where the object and its shadow on the floor are in a window, how far along the rays, and its normals."""
        foot = np.array([*self.scene.foot, 0.0])
        reach, normals = _meet(shape, solid, self.eye - foot, self.rays[window])
        body = reach < _FAR
        shadow = ~body & (self.surface[window] == 0)
        ground = self.points[window][shadow]
        shadow[shadow] = _meet(shape, solid, ground - foot, np.array(self.scene.lamp_position) - ground)[0] < 1
        return body, shadow, reach, normals

    def _dim(self, normals: Array) -> Array:
        """Light without the lamp, on surfaces of the room."""
        return self.scene.ambient + self.scene.headlight * np.maximum(0, -normals @ self.view)

    def _lamp(self, points: Array, normals: Array) -> tuple[Array, Array]:
        """Lamp light on surfaces, (...), and the direction to the lamp, (..., 3)."""
        towards = _unit(np.array(self.scene.lamp_position) - points)
        cone = np.maximum(0, -towards @ _unit(np.array(self.scene.lamp_axis))) ** self.scene.lamp_exponent
        return cone * np.maximum(0, (normals * towards).sum(axis=-1)), towards

    def _body(self, points: Array, normals: Array) -> tuple[Array, Array]:
        """Coloured light and white highlights on the object, (...) each."""
        ambient, headlight, lamp = self.scene.body_light
        lit, towards = self._lamp(points, normals)
        light = ambient + headlight * np.maximum(0, -normals @ self.view) + lamp * lit
        half = (normals * _unit(_unit(self.eye - points) + towards)).sum(axis=-1)
        gain, exponent = self.scene.highlight
        return light, gain * np.where(lit > 0, np.maximum(0, half) ** exponent, 0.0)


def _grey_levels(light: Array, white: Array | float = 0.0) -> Grey:
    """Frame buffer values, (NUM_LEVELS, ...), of a lit surface in a channel of every level."""
    tints = np.arange(NUM_LEVELS).reshape(-1, *[1] * light.ndim) / (NUM_LEVELS - 1)
    return np.rint(255 * np.minimum(1, tints * light + white)).astype(np.float32)


def _unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _meet(shape: str, solid: Solid, origins: Array, rays: Array) -> tuple[Array, Array]:
    """Where rays enter a solid standing at x = y = 0: multiples of the ray, (...), _FAR for a miss, and normals, (..., 3)."""
    origins = np.broadcast_to(origins - np.array([0.0, 0.0, solid.centre]), rays.shape)
    if shape == "cube":
        return _meet_box(np.array([solid.radius, solid.radius, solid.half]), origins, rays)
    reach, normals = _meet_tube(solid, origins, rays)
    for end in (-1.0, 1.0):
        nearer, face = (_meet_lid if shape == "cylinder" else _meet_ball)(solid, end, origins, rays)
        reach, normals = np.minimum(reach, nearer), np.where((nearer < reach)[..., None], face, normals)
    return reach, normals


def _meet_box(sides: Array, origins: Array, rays: Array) -> tuple[Array, Array]:
    facing = np.sign(rays)
    steps = np.where(rays == 0, 1 / _FAR, rays)
    enter, leave = (-facing * sides - origins) / steps, (facing * sides - origins) / steps
    last = enter.argmax(axis=-1)
    reach = enter.max(axis=-1)
    normals = np.where(np.arange(3) == last[..., None], -facing, 0.0)
    return np.where((reach > 0) & (reach < leave.min(axis=-1)), reach, _FAR), normals


def _meet_tube(solid: Solid, origins: Array, rays: Array) -> tuple[Array, Array]:
    flat = np.array([1.0, 1.0, 0.0])
    reach = _first_root(origins * flat, rays * flat, solid.radius)
    points = origins + reach[..., None] * rays
    return np.where(np.abs(points[..., 2]) < solid.half, reach, _FAR), points * flat / max(solid.radius, 1 / _FAR)


def _meet_ball(solid: Solid, end: float, origins: Array, rays: Array) -> tuple[Array, Array]:
    """The round end of a capsule; two of them at its middle are a sphere."""
    origins = origins - np.array([0.0, 0.0, end * solid.half])
    reach = _first_root(origins, rays, solid.radius)
    return reach, (origins + reach[..., None] * rays) / solid.radius


def _meet_lid(solid: Solid, end: float, origins: Array, rays: Array) -> tuple[Array, Array]:
    """The flat end of a cylinder."""
    reach = (end * solid.half - origins[..., 2]) / np.where(rays[..., 2] == 0, 1 / _FAR, rays[..., 2])
    beside = np.linalg.norm((origins + reach[..., None] * rays)[..., :2], axis=-1)
    return np.where((reach > 0) & (beside < solid.radius), reach, _FAR), np.array([0.0, 0.0, end])


def _first_root(origins: Array, rays: Array, radius: float) -> Array:
    """Smallest positive t with |origin + t ray| = radius, (...), or _FAR."""
    square, half, rest = ((a * b).sum(axis=-1) for a, b in ((rays, rays), (origins, rays), (origins, origins)))
    under = half**2 - square * (rest - radius**2)
    root = (-half - np.sqrt(np.maximum(under, 0))) / square
    return np.where((under > 0) & (root > 0), root, _FAR)


def _traced(pixels: slice) -> slice:
    """The traced pixels that the filter mixes into a range of pixels."""
    side = _SIDE * _REDUCTION
    return slice(max(0, (pixels.start - _LOBES) * _REDUCTION), min(side, (pixels.stop + _LOBES) * _REDUCTION))


def _reduce(picture: Grey, rows: slice, columns: slice) -> npt.NDArray[np.int16]:
    """Lanczos-3 of the traced pixels around a window, (M, p, q), to the window, (M, rows, columns), in 1 / UNITS.

    Grey levels, weights and all their sums are whole numbers below 2**24, which float32 adds without rounding: the
    bytes depend neither on the order of summation nor on the number of threads.
    """
    down, across = _LANCZOS[rows, _traced(rows)], _LANCZOS[columns, _traced(columns)]
    half = np.rint(picture @ across.T * (_PARTS / _WEIGHT))
    return np.rint(down @ half * (UNITS / _PARTS / _WEIGHT)).astype(np.int16)


def _lanczos() -> npt.NDArray[np.float32]:
    """Integer weights, (64, P), of every traced pixel in every pixel; a row sums to _WEIGHT up to rounding."""
    side = _SIDE * _REDUCTION
    offset = (np.arange(side) + 0.5) / _REDUCTION - (np.arange(_SIDE)[:, None] + 0.5)
    weights = np.where(np.abs(offset) < _LOBES, np.sinc(offset) * np.sinc(offset / _LOBES), 0.0)
    return np.rint(_WEIGHT * weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


_LANCZOS = _lanczos()
