"""480 geometries of 3D Shapes, ray traced into maps from which every hue of floor, wall and object follows.

    colour = min(1, rgb texture (ambient + headlight max(0, -n.v) + lamp max(0, n.l) max(0, -l.d)^e) + white [n.l > 0])

with n the normal, v the viewing direction, l the direction to the lamp and d the lamp's axis: OpenGL's fixed pipeline
with a headlight and one spot lamp that casts a shadow. Only floor and walls have a texture, only the object a white
highlight. Traced at 192 x 192 without antialiasing and reduced to 64 x 64 (`lanczos.py`), as the official images were.

Source: Burgess and Kim, "3D Shapes Dataset", 2018, rendered with MuJoCo's room of the Generative Query Networks data.
The constants of `Scene` are fitted to 25 official images by `scripts/fit_shapes3d.py`. Lengths are in units in which
the sphere of scale 1 has diameter 1; x points right, y away from the camera at orientation 0, z up.

Shapes: P = 192, side of the traced picture; M = NUM_MAPS; ..., any axes of rays; 3, (x, y, z).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrx.data.render.lanczos import LOBES, REDUCTION, SIDE, reduced, traced
from lrx.data.render.solids import FAR, Array, Solid, dot, meet, unit
from lrx.data.render.tiles import brightness

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


@dataclass(frozen=True)
class Scene:
    """Positions of all parts of the scene, and its light."""

    distance: float = 3.0  # camera to object, horizontally
    height: float = 0.9124  # of the camera
    pitch: float = 0.0072  # of the camera, downwards, radians
    focal: float = 69.873  # pixels of the 64 x 64 image
    back: float = 4.0423  # y of the back wall
    side: float = 4.0309  # |x| of the side walls
    top: float = 2.2976  # of the walls
    ambient: float = 0.3438
    headlight: float = 0.5873
    lamp: float = 0.9501
    lamp_exponent: float = 9.2131
    lamp_position: tuple[float, float, float] = (-1.6521, 0.4609, 8.4215)
    lamp_axis: tuple[float, float, float] = (-0.0074, 0.0063, -1.0)
    wall_tiles: tuple[float, float] = (2.3063, 2.2971)  # period of the texture, along the wall and upwards
    floor_tiles: tuple[float, float] = (2.3773, 2.3588)  # the same, along x and y
    floor_origin: float = 0.0086  # y of the texture's origin
    # of the object, which has no texture: ambient, headlight, lamp
    body_light: tuple[float, float, float] = (0.3605, 0.5876, 0.9835)
    highlight: float = 0.1135  # white that the lamp adds wherever it lights the object
    facet: float = 0.0563  # cosine over which that white sets in on a round side
    foot: tuple[float, float] = (-0.0005, 0.0009)  # x and y of the object
    solids: tuple[Solid, ...] = (
        Solid(0.4135, 0.4143, 0.4185),
        Solid(0.4408, 0.4445, 0.4478),
        Solid(0.4995, 0.0, 0.5065),
        Solid(0.3803, 0.3858, 0.7714),
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
    maps = np.empty((len(SCALES), len(SHAPES), len(ORIENTATIONS), NUM_MAPS, SIDE, SIDE), np.int16)
    done = 0
    for o, azimuth in enumerate(ORIENTATIONS):
        room = Room(scene, azimuth)
        for s, scale in enumerate(SCALES):
            for k, shape in enumerate(SHAPES):
                maps[s, k, o] = room.furnished(shape, scene.solids[k].scaled(scale))
                done += 1
                if progress is not None:
                    progress(done, NUM_GEOMETRIES)
    return maps.reshape(NUM_GEOMETRIES, NUM_MAPS, SIDE, SIDE)


class Room:
    """Empty room seen from one azimuth, into which an object is put.

    Args:
        scene: where things stand and how they are lit.
        azimuth: of the camera around the object, degrees, positive to the right.
    """

    def __init__(self, scene: Scene, azimuth: float) -> None:
        self.scene = scene
        turn = np.deg2rad(azimuth)
        right = np.array([np.cos(turn), np.sin(turn), 0.0])
        ahead = np.array([-np.sin(turn), np.cos(turn), 0.0])
        rise, run = np.sin(scene.pitch), np.cos(scene.pitch)
        self.view = run * ahead - np.array([0.0, 0.0, rise])
        down = -rise * ahead - np.array([0.0, 0.0, run])
        across = (np.arange(SIDE * REDUCTION) + 0.5) / REDUCTION - SIDE / 2
        u, v = np.meshgrid(across / scene.focal, across / scene.focal)
        self.eye = -scene.distance * ahead + np.array([0.0, 0.0, scene.height])
        self.rays = self.view + u[..., None] * right + v[..., None] * down
        self.surface, self.points = self._planes()
        self.texture = self._tiled()
        self.picture = self._empty()
        self.maps = reduced(self.picture, slice(0, SIDE), slice(0, SIDE), units=UNITS)

    def _planes(self) -> tuple[npt.NDArray[np.int64], Array]:
        """Return what every ray meets, 0 floor, 1 back wall, 2 left wall, 3 right wall, 4 sky, and where."""
        x, y, z = np.moveaxis(self.rays, -1, 0)
        side = self.scene.side
        gaps = (
            (-self.eye[2], z),
            (self.scene.back - self.eye[1], y),
            (-side - self.eye[0], x),
            (side - self.eye[0], x),
        )
        reach = np.stack([gap / np.where(step == 0, 1 / FAR, step) for gap, step in gaps])
        reach[reach < 0] = FAR
        surface = reach.argmin(axis=0)
        points = self.eye + reach.min(axis=0)[..., None] * self.rays
        return np.where((surface > 0) & (points[..., 2] > self.scene.top), 4, surface), points

    def _tiled(self) -> Array:
        """Return the brightness of the texture where the rays meet floor and walls, (P, P)."""
        x, y, z = np.moveaxis(self.points, -1, 0)
        floor, (width, height) = self.surface == 0, self.scene.wall_tiles
        (across, away), origin = self.scene.floor_tiles, self.scene.floor_origin
        u = np.choose(self.surface, [(origin - y) / away, x / width, y / width, -y / width, x / width])
        return brightness(u, np.where(floor, x / across + 0.5, z / height))

    def _empty(self) -> Grey:
        """Return what each material of the empty room adds to a channel, (NUM_MAPS, P, P), in whole grey levels."""
        inward = np.array([(0, 0, 1), (0, -1, 0), (1, 0, 0), (-1, 0, 0), (0, 0, 0)], dtype=np.float64)
        normals = inward[self.surface]
        light = self._dim(normals) + self.scene.lamp * self._lamp(self.points, normals)[0]
        picture = np.zeros((NUM_MAPS, *light.shape), np.float32)
        floor, sky = self.surface == 0, self.surface == 4
        for first, there in ((FLOOR, floor), (WALL, ~floor & ~sky)):
            picture[first : first + NUM_LEVELS, there] = _grey_levels(light[there] * self.texture[there])
        picture[SKY:, sky] = np.array(SKY_RGB)[:, None]
        return picture

    def furnished(self, shape: str, solid: Solid) -> npt.NDArray[np.int16]:
        """Trace maps, (NUM_MAPS, 64, 64), of the room with an object in it, where the object changes it."""
        rows, columns = self._changed(shape, solid)
        window = (traced(rows), traced(columns))
        picture = self.picture[:, *window].copy()
        body, shadow, reach, normals = self._objects(shape, solid, window)
        points = self.eye + reach[body, None] * self.rays[window][body]
        picture[:, body] = 0
        picture[OBJECT : OBJECT + NUM_LEVELS, body] = _grey_levels(*self._body(shape, points, normals[body]))
        ground = self._dim(np.array([0.0, 0.0, 1.0]))
        picture[FLOOR : FLOOR + NUM_LEVELS, shadow] = _grey_levels(ground * self.texture[window][shadow])
        maps = self.maps.copy()
        maps[:, rows, columns] = reduced(picture, rows, columns, units=UNITS)
        return maps

    def _changed(self, shape: str, solid: Solid) -> tuple[slice, slice]:
        """Return rows and columns of the 64 x 64 image that an object or its shadow reaches, through the filter too."""
        centres = slice(REDUCTION // 2, None, REDUCTION)
        body, shadow, _, _ = self._objects(shape, solid, (centres, centres))
        margin = 1 + LOBES  # one pixel between two centres
        ranges = []
        for axis in (1, 0):
            touched = np.flatnonzero((body | shadow).any(axis=axis))
            ranges.append(slice(max(0, touched[0] - margin), min(SIDE, touched[-1] + 1 + margin)))
        return ranges[0], ranges[1]

    def _objects(self, shape: str, solid: Solid, window: tuple[slice, slice]) -> tuple[Mask, Mask, Array, Array]:
        """Return where the object and its shadow on the floor are in a window, distances, and normals."""
        foot = np.array([*self.scene.foot, 0.0])
        reach, normals = meet(shape, solid, self.eye - foot, self.rays[window])
        body = reach < FAR
        shadow = ~body & (self.surface[window] == 0)
        ground = self.points[window][shadow]
        shadow[shadow] = meet(shape, solid, ground - foot, np.array(self.scene.lamp_position) - ground)[0] < 1
        return body, shadow, reach, normals

    def _dim(self, normals: Array) -> Array:
        """Return the light without the lamp, on surfaces of the room."""
        light: Array = self.scene.ambient + self.scene.headlight * np.maximum(0, -dot(normals, self.view))
        return light

    def _lamp(self, points: Array, normals: Array) -> tuple[Array, Array]:
        """Return the lamp light on surfaces, (...), and the direction to the lamp, (..., 3)."""
        towards = unit(np.array(self.scene.lamp_position) - points)
        cone = np.maximum(0, -dot(towards, unit(np.array(self.scene.lamp_axis)))) ** self.scene.lamp_exponent
        return cone * np.maximum(0, dot(normals, towards)), towards

    def _body(self, shape: str, points: Array, normals: Array) -> tuple[Array, Array]:
        """Return coloured light and white highlights on the object, (...) each."""
        ambient, headlight, lamp = self.scene.body_light
        lit, towards = self._lamp(points, normals)
        light = ambient + headlight * np.maximum(0, -dot(normals, self.view)) + lamp * lit
        facet = 1e-6 if shape == "cube" else self.scene.facet
        return light, self.scene.highlight * np.clip(0.5 + dot(normals, towards) / facet, 0, 1)


def _grey_levels(light: Array, white: Array | float = 0.0) -> Grey:
    """Return frame buffer values, (NUM_LEVELS, ...), of a lit surface in a channel of every level."""
    tints = np.arange(NUM_LEVELS).reshape(-1, *[1] * light.ndim) / (NUM_LEVELS - 1)
    levels: Grey = np.rint(255 * np.minimum(1, tints * light + white)).astype(np.float32)
    return levels
