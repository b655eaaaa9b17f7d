"""Scene of MPI3D toy: three cameras, three lamps, a ring of three colours on the floor and an arm with two joints.

The vertical axis turns the arm around z; the horizontal axis tilts the rod around the pivot, in the plane that the arm
faces. Lengths are in units of the ring's outer radius, angles in radians; x points right, y away from the middle
camera, z up. The constants of `SCENE` are fitted to official frames by `scripts/fit_mpi3d.py`.

Source of the factors: Gondal et al., NeurIPS 2019.
"""

from dataclasses import dataclass

import numpy as np

from lrx.data.render.mpi3d_solids import Array, Convex, box, cone, cylinder, prism, pyramid, sphere

SHAPES = ("cone", "cube", "cylinder", "hexagonal", "pyramid", "sphere")
FIXED, TURNING, TILTING = range(3)  # what a part moves with: nothing, the vertical axis, both axes


@dataclass(frozen=True)
class Camera:
    """Position and direction of a camera."""

    x: float
    y: float
    z: float
    yaw: float  # to the left
    pitch: float  # downwards
    roll: float

    @property
    def eye(self) -> Array:
        """Position (3,)."""
        return np.array([self.x, self.y, self.z])

    @property
    def axes(self) -> Array:
        """Axes (3, 3): right, down and ahead."""
        run, rise = np.cos(self.pitch), np.sin(self.pitch)
        ahead = np.array([-np.sin(self.yaw) * run, np.cos(self.yaw) * run, -rise])
        level = np.array([np.cos(self.yaw), np.sin(self.yaw), 0.0])
        plumb = np.cross(ahead, level)
        right = np.cos(self.roll) * level + np.sin(self.roll) * plumb
        return np.stack([right, np.cross(ahead, right), ahead])


@dataclass(frozen=True)
class Body:
    """Object at its large size: inscribed radius, extent along the rod, angle around the rod."""

    radius: float
    low: float
    high: float
    turn: float


@dataclass(frozen=True)
class Part:
    """Box or cylinder of the arm in the frame of its joint."""

    joint: int
    x: float
    y: float
    low: float
    high: float
    a: float  # half side along x, or the radius
    b: float  # half side along y, or 0 for a cylinder
    grey: float  # of the light


@dataclass(frozen=True)
class Scene:
    """Positions of all parts of the scene, and its light."""

    focal: float  # pixels
    middle: tuple[float, float]  # column and row of the point that the cameras look at
    cameras: tuple[Camera, ...]
    inner: float  # radius of the ring, whose outer radius is 1
    centre: tuple[float, float]  # x and y of the ring
    seam: float  # angle from y towards x at which one third of the ring begins
    ring_light: tuple[float, float, float, float, float]  # a lamp's place and strength, and what faces the eye
    pivot: tuple[float, float, float]  # of the rod, in the frame of the vertical axis
    grip: tuple[float, float]  # of an object's axis beside the rod's frame
    turn: tuple[float, float]  # angle of the vertical axis at its class 0, and a step
    tilt: tuple[float, float]  # the same of the horizontal axis
    lamps: tuple[tuple[float, float, float, float], ...]  # place and strength
    ambient: float
    bodies: tuple[Body, ...]  # by SHAPES
    small: tuple[float, float]  # the small size in units of the large one, and how much farther out it sits
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Placed:
    """Solid in the world: a point p of its frame, a row, is at p axes + origin; grey of the light in its colour."""

    solid: Convex
    axes: Array
    origin: Array
    grey: float


def arm(scene: Scene, horizontal: int, vertical: int) -> list[Placed]:
    """Return the parts of the arm at these classes of its axes."""
    joints = _joints(scene, horizontal, vertical)
    placed = []
    for part in scene.parts:
        axes, origin = joints[part.joint]
        solid = box(part.a, part.b, part.low, part.high) if part.b else cylinder(part.a, part.low, part.high)
        placed.append(Placed(solid, axes, origin + np.array([part.x, part.y, 0.0]) @ axes, part.grey))
    return placed


def body(scene: Scene, shape: int, size: int, horizontal: int, vertical: int) -> Placed:
    """Return the object of these classes at the end of the rod; its grey is that of white."""
    axes, origin = _joints(scene, horizontal, vertical)[TILTING]
    large = scene.bodies[shape]
    scale, shift = scene.small if size == 0 else (1.0, 0.0)
    radius, low = scale * large.radius, large.low + shift
    solid = _solid(SHAPES[shape], radius, low, low + scale * (large.high - large.low))
    return Placed(solid, _around_z(large.turn) @ axes, origin + np.array([*scene.grip, 0.0]) @ axes, 1.0)


def _solid(shape: str, radius: float, low: float, high: float) -> Convex:
    match shape:
        case "cone":
            return cone(radius, low, high)
        case "cube":
            return prism(4, radius, low, high)
        case "cylinder":
            return cylinder(radius, low, high)
        case "hexagonal":
            return prism(6, radius, low, high)
        case "pyramid":
            return pyramid(4, radius, low, high)
        case _:
            return sphere((high - low) / 2, (low + high) / 2)


def _joints(scene: Scene, horizontal: int, vertical: int) -> list[tuple[Array, Array]]:
    """Return axes (3, 3), in rows, and origin (3,) of what is fixed, turns and tilts."""
    turned = _around_z(scene.turn[0] + scene.turn[1] * vertical)
    tilt = scene.tilt[0] + scene.tilt[1] * horizontal
    run, rise = np.cos(tilt), np.sin(tilt)
    tilted = np.array([(run, 0.0, -rise), (0.0, 1.0, 0.0), (rise, 0.0, run)])
    floor = np.zeros(3)
    return [(np.eye(3), floor), (turned, floor), (tilted @ turned, np.array(scene.pivot) @ turned)]


def _around_z(angle: float) -> Array:
    run, rise = np.cos(angle), np.sin(angle)
    return np.array([(run, rise, 0.0), (-rise, run, 0.0), (0.0, 0.0, 1.0)])


SCENE = Scene(
    focal=74.524,
    middle=(32.4665, 30.8823),
    cameras=(
        Camera(-0.0402, -0.7231, 1.2329, -0.1155, 0.936, -0.0552),
        Camera(-0.0894, -0.8792, 1.0247, -0.0871, 0.7057, -0.0076),
        Camera(0.009, -1.0233, 0.7712, -0.0427, 0.4102, -0.0107),
    ),
    inner=0.8205,
    centre=(0.0066, -0.1212),
    seam=-0.8621,
    ring_light=(0.0354, 0.2491, 0.6481, 1.112, 0.2186),
    pivot=(-0.0042, 0.042, 0.3067),
    grip=(0.0108, 0.0033),
    turn=(2.7487, -0.0801),
    tilt=(-1.6357, 0.0832),
    lamps=((-1.0836, -1.107, 1.9751, 0.8876), (1.8816, 3.2729, 4.021, 0.4537), (2.2848, -0.7399, 0.4742, 0.5524)),
    ambient=0.0074,
    bodies=(
        Body(0.0709, 0.2417, 0.3807, 0.024),
        Body(0.0723, 0.2436, 0.3809, 0.0385),
        Body(0.0698, 0.2415, 0.3818, 0.392),
        Body(0.0699, 0.2411, 0.3816, 0.0047),
        Body(0.0704, 0.2426, 0.3834, 0.016),
        Body(0.065, 0.2447, 0.3832, 0.1799),
    ),
    small=(0.6934, 0.0211),
    parts=(
        Part(FIXED, 0.0053, -0.0352, 0.0281, 0.0286, 0.0744, 0.0, 0.5727),
        Part(FIXED, 0.0127, -0.0227, 0.0, 0.0297, 0.0423, 0.0, 0.2542),
        Part(TURNING, 0.0024, -0.0065, 0.0, 0.1401, 0.035, 0.018, 0.5171),
        Part(TURNING, 0.002, -0.007, 0.14, 0.2802, 0.0347, 0.0186, 0.5999),
        Part(TURNING, 0.001, 0.0065, 0.2775, 0.3315, 0.0323, 0.0328, 0.6465),
        Part(TILTING, 0.0046, -0.0046, -0.0236, 0.068, 0.0167, 0.0, 0.6249),
        Part(TILTING, 0.0055, -0.0026, 0.0212, 0.2588, 0.0111, 0.0, 0.6092),
        Part(TURNING, 0.0136, -0.0193, 0.0, 0.0546, 0.0316, 0.0302, 0.5085),
        Part(TURNING, 0.0012, 0.0197, 0.2391, 0.3, 0.0195, 0.0197, 0.5549),
    ),
)
