"""Intersection of rays with a cube, cylinder, sphere or capsule that stands upright at x = y = 0.

A sphere is a capsule without a middle. Shape suffix ...: any leading axes of rays; the last axis of origins, rays and
normals is (x, y, z), with z up.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

FAR = 1e6  # a ray that meets nothing, and 1 / FAR for one that is parallel


@dataclass(frozen=True)
class Solid:
    """Half sizes of one shape at scale 1 and the height of its centre; all three grow with the scale."""

    radius: float  # half the side of the cube
    half: float  # half the height, without the round ends of sphere and capsule
    centre: float

    def scaled(self, scale: float) -> "Solid":
        """Return the same shape at another scale."""
        return Solid(self.radius * scale, self.half * scale, self.centre * scale)


def meet(shape: str, solid: Solid, origins: Array, rays: Array) -> tuple[Array, Array]:
    """Intersect rays with a solid: multiples of the ray, (...), FAR for a miss, and outward normals, (..., 3).

    Args:
        shape: "cube", "cylinder", "sphere" or "capsule".
        solid: its sizes and height.
        origins: (3,) or (..., 3), outside the solid.
        rays: (..., 3), of any length.
    """
    origins = np.broadcast_to(origins - np.array([0.0, 0.0, solid.centre]), rays.shape)
    if shape == "cube":
        return _meet_box(np.array([solid.radius, solid.radius, solid.half]), origins, rays)
    reach, normals = _meet_tube(solid, origins, rays)
    for end in (-1.0, 1.0):
        nearer, face = (_meet_lid if shape == "cylinder" else _meet_ball)(solid, end, origins, rays)
        reach, normals = np.minimum(reach, nearer), np.where((nearer < reach)[..., None], face, normals)
    return reach, normals


def dot(a: Array, b: Array) -> Array:
    """Return scalar products of vectors, (..., 3) each, as (...)."""
    product: Array = np.einsum("...i,...i->...", a, b)
    return product


def unit(vectors: Array) -> Array:
    """Return the vectors, (..., 3), at length 1."""
    return vectors / np.sqrt(dot(vectors, vectors))[..., None]


def _meet_box(sides: Array, origins: Array, rays: Array) -> tuple[Array, Array]:
    facing = np.sign(rays)
    steps = np.where(rays == 0, 1 / FAR, rays)
    enter, leave = (-facing * sides - origins) / steps, (facing * sides - origins) / steps
    last = enter.argmax(axis=-1)
    reach = enter.max(axis=-1)
    normals = np.where(np.arange(3) == last[..., None], -facing, 0.0)
    return np.where((reach > 0) & (reach < leave.min(axis=-1)), reach, FAR), normals


def _meet_tube(solid: Solid, origins: Array, rays: Array) -> tuple[Array, Array]:
    flat = np.array([1.0, 1.0, 0.0])
    reach = _first_root(origins * flat, rays * flat, solid.radius)
    points = origins + reach[..., None] * rays
    return np.where(np.abs(points[..., 2]) < solid.half, reach, FAR), points * flat / max(solid.radius, 1 / FAR)


def _meet_ball(solid: Solid, end: float, origins: Array, rays: Array) -> tuple[Array, Array]:
    """Intersect rays with the round end of a capsule; two of them at its middle are a sphere."""
    origins = origins - np.array([0.0, 0.0, end * solid.half])
    reach = _first_root(origins, rays, solid.radius)
    return reach, (origins + reach[..., None] * rays) / solid.radius


def _meet_lid(solid: Solid, end: float, origins: Array, rays: Array) -> tuple[Array, Array]:
    """Intersect rays with the flat end of a cylinder."""
    reach = (end * solid.half - origins[..., 2]) / np.where(rays[..., 2] == 0, 1 / FAR, rays[..., 2])
    beside = np.linalg.norm((origins + reach[..., None] * rays)[..., :2], axis=-1)
    return np.where((reach > 0) & (beside < solid.radius), reach, FAR), np.array([0.0, 0.0, end])


def _first_root(origins: Array, rays: Array, radius: float) -> Array:
    """Return the smallest positive t with |origin + t ray| = radius, (...), or FAR."""
    square, half = np.maximum(dot(rays, rays), 1 / FAR), dot(origins, rays)
    under = half**2 - square * (dot(origins, origins) - radius**2)
    root = (-half - np.sqrt(np.maximum(under, 0))) / square
    return np.where((under > 0) & (root > 0), root, FAR)
