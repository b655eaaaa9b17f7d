"""Ray tracing of the MPI3D toy scene from one camera: the ring on the floor, and lit solids.

    light = ambient + sum over lamps of strength max(0, n.l)

with n the normal and l the direction to the lamp; no shadows. The floor is flat grey; the ring on it has a light of its
own, strength l_z + facing v_z with v the direction to the eye, as it is brightest where it faces both.

Shapes: R = 64 RAYS, side of the grid of rays; 3, (x, y, z) or (red, green, blue).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrx.data.render.mpi3d_scene import Placed, Scene
from lrx.data.render.mpi3d_solids import FAR, Array, meet

SIDE = 64
RAYS = 4  # to a pixel, along a row and along a column
FLOOR = 52.0  # grey level
RING = np.array([(101.0, 76.0, 143.0), (72.0, 99.0, 95.0), (108.0, 77.0, 86.0)])  # grey levels in a light of 1

Window = tuple[slice, slice]


@dataclass
class Layer:
    """Nearest solids: distance along every ray, (R, R), and light, 0 where there is none."""

    reach: Array
    light: Array


class View:
    """Rays of one camera.

    Args:
        scene: where things stand and how they are lit.
        camera: its class, 0 to 2.
    """

    def __init__(self, scene: Scene, camera: int) -> None:
        self.scene = scene
        self.eye, self.axes = scene.cameras[camera].eye, scene.cameras[camera].axes
        place = (np.arange(SIDE * RAYS) + 0.5) / RAYS
        u, v = np.meshgrid((place - scene.middle[0]) / scene.focal, (place - scene.middle[1]) / scene.focal)
        self.rays = u[..., None] * self.axes[0] + v[..., None] * self.axes[1] + self.axes[2]

    def ground(self, background: int) -> Array:
        """Return the floor with its ring turned to a background class, (64, 64, 3) in grey levels."""
        points = self.eye - self.eye[2] / self.rays[..., 2:] * self.rays
        x, y = np.moveaxis(points[..., :2] - np.array(self.scene.centre), -1, 0)
        radius = np.hypot(x, y)
        ring = (radius > self.scene.inner) & (radius < 1) & (self.rays[..., 2] < 0)
        third = (np.arctan2(x[ring], y[ring]) - self.scene.seam) // (2 * np.pi / 3)
        *lamp, strength, facing = self.scene.ring_light
        light = strength * _towards(np.array(lamp), points[ring])[:, 2]
        light += facing * _towards(self.eye, points[ring])[:, 2]
        picture = np.full((*ring.shape, 3), FLOOR)
        picture[ring] = light[:, None] * RING[(background - third.astype(np.int64)) % 3]
        return pixels(picture)

    def layer(self, solids: list[Placed]) -> Layer:
        """Trace all of these solids."""
        side = SIDE * RAYS
        layer = Layer(np.full((side, side), FAR), np.zeros((side, side)))
        for placed in solids:
            window, reach, light = self.trace(placed)
            nearer = reach < layer.reach[window]
            layer.reach[window][nearer] = reach[nearer]
            layer.light[window][nearer] = light[nearer]
        return layer

    def trace(self, placed: Placed) -> tuple[Window, Array, Array]:
        """Trace a solid: the window of rays that it may cover, the distance along the rays, and its light there."""
        window = self._window(placed)
        shape = self.rays[window].shape[:2]
        rays = self.rays[window].reshape(-1, 3)
        reach, normals = meet(placed.solid, placed.axes @ (self.eye - placed.origin), rays @ placed.axes.T)
        hit = reach < FAR
        light = np.zeros(len(rays))
        light[hit] = placed.grey * self._light(self.eye + reach[hit, None] * rays[hit], normals[hit] @ placed.axes)
        return window, reach.reshape(shape), light.reshape(shape)

    def _window(self, placed: Placed) -> Window:
        corners = placed.solid.hull @ placed.axes + placed.origin
        seen = (corners - self.eye) @ self.axes.T
        place = RAYS * (np.array(self.scene.middle) + self.scene.focal * seen[:, :2] / seen[:, 2:])
        first, last = place.min(axis=0), place.max(axis=0)
        low = np.clip(np.floor(first), 0, SIDE * RAYS - 1).astype(np.int64)
        high = np.clip(np.ceil(last), low + 1, SIDE * RAYS).astype(np.int64)
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))

    def _light(self, points: Array, normals: Array) -> Array:
        light = np.full(len(points), self.scene.ambient)
        for *lamp, strength in self.scene.lamps:
            light += strength * np.maximum(0.0, np.einsum("ni,ni->n", normals, _towards(np.array(lamp), points)))
        return light


def pixels(rays: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> Array:
    """Average the rays of every pixel: (RAYS p, RAYS q, ...) to (p, q, ...)."""
    height, width, *rest = rays.shape
    blocks = rays.reshape(height // RAYS, RAYS, width // RAYS, RAYS, *rest)
    mean: Array = blocks.mean(axis=(1, 3), dtype=np.float64)
    return mean


def _towards(place: Array, points: Array) -> Array:
    """Return directions from points (N, 3) to a place (3,)."""
    away = place - points
    direction: Array = away / np.sqrt((away**2).sum(axis=1, keepdims=True))
    return direction
