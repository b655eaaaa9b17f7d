"""Intersection of rays with a convex solid bounded by planes and at most one round surface.

    inside:   n_k . x <= d_k  for every plane k,   and   x^2 + y^2 + bend z^2 + slant z <= level

The round surface is a sphere (bend 1), an upright cylinder (bend 0) or a cone (bend < 0) around the z axis of the
solid; it and every plane cut an interval out of a ray, and the solid is where the intervals overlap.

Shapes: N rays; K planes; V points; 3, (x, y, z) in the frame of the solid.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

FAR = 1e6  # a ray that meets nothing
_ROUND = 12  # sides of the polygon around a circle
_PARALLEL = 1e-12  # added to slopes, so that no ray is exactly parallel to a surface


@dataclass(frozen=True)
class Convex:
    """Convex solid in its own frame."""

    normals: Array  # (K, 3), outward
    offsets: Array  # (K,), of the planes from the origin
    hull: Array  # (V, 3), points whose convex hull holds the solid
    bend: float = 0.0
    slant: float = 0.0
    level: float = np.inf  # infinite without a round surface


def box(x: float, y: float, low: float, high: float) -> Convex:
    """Return an upright box with these half sides along x and y."""
    normals, offsets = _lids(low, high)
    around = np.array([(1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0)])
    corners = np.array([(x * i, y * j, z) for i in (-1, 1) for j in (-1, 1) for z in (low, high)])
    return Convex(np.concatenate([normals, around]), np.concatenate([offsets, [x, x, y, y]]), corners)


def prism(sides: int, radius: float, low: float, high: float) -> Convex:
    """Return an upright prism over a regular polygon with this inscribed radius; its first side faces x."""
    normals, offsets = _lids(low, high)
    planes = np.concatenate([normals, _directions(sides)])
    hull = np.concatenate([_corners(sides, radius, low), _corners(sides, radius, high)])
    return Convex(planes, np.concatenate([offsets, np.full(sides, radius)]), hull)


def pyramid(sides: int, radius: float, low: float, high: float) -> Convex:
    """Return a pyramid over a regular polygon with this inscribed radius, its tip at `high` on the z axis."""
    height = high - low
    length = np.hypot(height, radius)
    slopes = (_directions(sides) * height + np.array([0.0, 0.0, radius])) / length
    offsets = np.concatenate([[-low], np.full(sides, high * radius / length)])
    hull = np.concatenate([_corners(sides, radius, low), [(0.0, 0.0, high)]])
    return Convex(np.concatenate([[(0.0, 0.0, -1.0)], slopes]), offsets, hull)


def cylinder(radius: float, low: float, high: float) -> Convex:
    """Return an upright cylinder."""
    return Convex(*_lids(low, high), prism(_ROUND, radius, low, high).hull, level=radius**2)


def cone(radius: float, low: float, high: float) -> Convex:
    """Return a cone with this radius at `low` and its tip at `high` on the z axis."""
    slope = (radius / (high - low)) ** 2
    return Convex(*_lids(low, high), pyramid(_ROUND, radius, low, high).hull, -slope, 2 * slope * high, slope * high**2)


def sphere(radius: float, centre: float) -> Convex:
    """Return a sphere around a point of the z axis."""
    low, high = centre - radius, centre + radius
    hull = prism(_ROUND, radius, low, high).hull
    return Convex(*_lids(low, high), hull, 1.0, -2 * centre, radius**2 - centre**2)


def meet(solid: Convex, origin: Array, rays: Array) -> tuple[Array, Array]:
    """Intersect rays with a solid: multiples of the ray, (N,), FAR for a miss, and outward normals, (N, 3).

    Args:
        solid: what to meet.
        origin: (3,) the eye, outside the solid.
        rays: (N, 3), of any length.
    """
    slopes = rays @ solid.normals.T + _PARALLEL
    times = (solid.offsets - solid.normals @ origin) / slopes
    entries = np.where(slopes < 0, times, -np.inf)
    last = entries.argmax(axis=1)
    enter = entries.max(axis=1)
    leave = np.where(slopes > 0, times, np.inf).min(axis=1)
    normals = solid.normals[last]
    if np.isfinite(solid.level):
        curved, out = _round(solid, origin, rays)
        points = origin + np.where(np.abs(curved) < FAR, curved, 0.0)[:, None] * rays
        gradient = points * np.array([1.0, 1.0, solid.bend]) + np.array([0.0, 0.0, solid.slant / 2])
        gradient /= np.sqrt((gradient**2).sum(axis=1, keepdims=True)) + _PARALLEL
        normals = np.where((curved > enter)[:, None], gradient, normals)
        enter, leave = np.maximum(enter, curved), np.minimum(leave, out)
    return np.where((enter < leave) & (enter > 0), enter, FAR), normals


def _round(solid: Convex, origin: Array, rays: Array) -> tuple[Array, Array]:
    """Return the interval of every ray inside the round surface, (N,) each; (FAR, -FAR) for none."""
    weights = np.array([1.0, 1.0, solid.bend])
    square = rays**2 @ weights
    square = np.where(np.abs(square) < _PARALLEL, _PARALLEL, square)
    half = rays @ (origin * weights) + solid.slant / 2 * rays[:, 2]
    level = origin**2 @ weights + solid.slant * origin[2] - solid.level
    under = half**2 - square * level
    root = np.sqrt(np.maximum(under, 0.0)) / np.abs(square)
    middle = -half / square
    first, second = middle - root, middle + root
    # A steep ray is inside a double cone twice; the half below the tip is behind the second root on the way down.
    steep, falling = square < 0, rays[:, 2] < 0
    enter = np.where(steep, np.where(falling, second, -FAR), first)
    leave = np.where(steep, np.where(falling, FAR, first), second)
    miss = ~steep & (under <= 0)
    return np.where(miss, FAR, enter), np.where(miss, -FAR, leave)


def _lids(low: float, high: float) -> tuple[Array, Array]:
    return np.array([(0.0, 0.0, -1.0), (0.0, 0.0, 1.0)]), np.array([-low, high])


def _directions(sides: int) -> Array:
    """Return outward normals, (sides, 3), of the sides of an upright regular prism."""
    angle = 2 * np.pi * np.arange(sides) / sides
    return np.stack([np.cos(angle), np.sin(angle), np.zeros(sides)], axis=1)


def _corners(sides: int, radius: float, z: float) -> Array:
    """Return corners, (sides, 3), of the regular polygon with this inscribed radius at this height."""
    angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    outer = radius / np.cos(np.pi / sides)
    return np.stack([outer * np.cos(angle), outer * np.sin(angle), np.full(sides, z)], axis=1)
