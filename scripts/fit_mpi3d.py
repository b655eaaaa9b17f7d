"""Compare the rendered MPI3D toy with the official animations, and refit the constants of its scene.

    python scripts/fit_mpi3d.py                      best match of every official frame, as a table
    python scripts/fit_mpi3d.py --fit 3 cameras tilt three rounds of fitting these fields of the scene, printed
    python scripts/fit_mpi3d.py --sheet FILE.png     official frames above their best matches

Panel i of the animations varies factor i, as `visualize_util.cycle_factor` of disentanglement_lib does: from a start up
to the last class, down to the first and back. The classes of the start were found by matching and are `START`.
"""

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import numpy.typing as npt

from lrx.data.render.mpi3d import COLOURS, FACTORS, render_images
from lrx.data.render.mpi3d_scene import SCENE, Scene, arm, body
from lrx.data.render.mpi3d_solids import FAR
from lrx.data.render.mpi3d_view import View, pixels

OFFICIAL = Path(__file__).parents[1] / "tests" / "data" / "mpi3d_frames.npz"
START = (3, 4, 1, 1, 1, 22, 21)  # classes of the first frame of every panel
NUM_FRAMES = 20
Images = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_HUBER = 25.0  # grey levels beyond which a residual counts less
_DAMPING = 0.003
# Steps of finite differences, about a third of a pixel; lengths take the last one.
_STEPS = {"focal": 1.5, "middle": 0.5, "lamps": 0.1, "seam": 0.02, "turn": 0.005, "tilt": 0.005, "ambient": 0.02}
_STEPS |= {"cameras": 0.005, "small": 0.03, "ring_light": 0.05}
_LENGTH, _SLOPE, _GREY, _ANGLE = 0.004, 0.0005, 0.03, 0.04


def schedule() -> Indices:
    """Return the factor classes of every official frame, (7, 20, 7)."""
    classes = np.tile(np.array(START), (len(FACTORS), NUM_FRAMES, 1))
    for factor, size in enumerate(FACTORS.sizes):
        steps = np.ceil(np.linspace(START[factor], START[factor] + 2 * size, NUM_FRAMES, endpoint=False))
        wave = steps.astype(np.int64) % (2 * size)
        classes[factor, :, factor] = np.minimum(wave, 2 * size - 1 - wave)
    return classes


def neighbours(classes: Indices) -> Indices:
    """Return classes (7,) and those one step away in any factor, (N, 7), the given ones first."""
    found = [classes]
    for factor, size in enumerate(FACTORS.sizes):
        for step in (-1, 1):
            other = classes.copy()
            other[factor] += step
            if 0 <= other[factor] < size:
                found.append(other)
    return np.array(found)


def images_of(classes: Indices) -> Images:
    """Return rendered images (N, 64, 64, 3) of classes (N, 7)."""
    return render_images(np.ravel_multi_index(tuple(classes.T), FACTORS.sizes)).transpose(0, 2, 3, 1)


def errors(images: Images, frames: Images) -> Floats:
    """Return mean absolute differences (N,) of images and frames, (N, 64, 64, 3) each, in grey levels."""
    difference: Floats = np.abs(images.astype(np.int16) - frames).mean(axis=(1, 2, 3))
    return difference


def best_matches(frames: Images, classes: Indices) -> tuple[Indices, Floats]:
    """Return classes (N, 7) of the nearest images, reached by single steps in any factor, and errors (N,)."""
    classes, found = classes.copy(), np.zeros(len(classes))
    moving = np.arange(len(classes))
    while len(moving):
        choices = [neighbours(classes[number]) for number in moving]
        owners = np.repeat(moving, [len(choice) for choice in choices])
        distances = errors(images_of(np.concatenate(choices)), frames[owners])
        moved = []
        for number, choice in zip(moving, choices, strict=True):
            distance = distances[owners == number]
            found[number] = distance.min()
            if distance.argmin():
                classes[number] = choice[distance.argmin()]
                moved.append(number)
        moving = np.array(moved, np.int64)
    return classes, found


def constants_of(scene: Scene) -> dict[str, float]:
    """Return every fraction of a scene by dotted name, except the missing side of a cylinder."""

    def walk(name: str, value: object) -> Iterator[tuple[str, float]]:
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                yield from walk(f"{name}.{field.name}", getattr(value, field.name))
        elif isinstance(value, tuple):
            for position, part in enumerate(value):
                yield from walk(f"{name}.{position}", part)
        elif isinstance(value, float) and not (name.endswith(".b") and value == 0):
            yield name[1:], value

    return dict(walk("", scene))


def scene_of(constants: dict[str, float], like: Scene = SCENE) -> Scene:
    """Return a copy of a scene with these constants replaced."""

    def build(name: str, value: object) -> object:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return dataclasses.replace(
                value, **{f.name: build(f"{name}.{f.name}", getattr(value, f.name)) for f in fields}
            )
        if isinstance(value, tuple):
            return tuple(build(f"{name}.{position}", part) for position, part in enumerate(value))
        return constants.get(name[1:], value)

    scene = build("", like)
    assert isinstance(scene, Scene)
    return scene


def step_of(name: str) -> float:
    if name in ("turn.1", "tilt.1"):
        return _SLOPE
    if name.endswith(("grey", "lamps.0.3", "lamps.1.3", "lamps.2.3")):
        return _GREY
    return _ANGLE if name.startswith("bodies") and name.endswith("turn") else _STEPS.get(name.split(".")[0], _LENGTH)


def render(scene: Scene, classes: Indices) -> Floats:
    """Return unrounded images (N, 64, 64, 3) of classes (N, 7)."""
    views: dict[int, View] = {}
    grounds: dict[tuple[int, int], Floats] = {}
    images = []
    for colour, shape, size, camera, background, horizontal, vertical in classes.tolist():
        if camera not in views:
            views[camera] = View(scene, camera)
        view = views[camera]
        if (camera, background) not in grounds:
            grounds[camera, background] = view.ground(background)
        layer = view.layer(arm(scene, horizontal, vertical))
        window, reach, light = view.trace(body(scene, shape, size, horizontal, vertical))
        front = reach < layer.reach[window]
        layer.light[window][front] = 0.0
        layer.reach[window][front] = reach[front]
        coloured = np.zeros_like(layer.light)
        coloured[window][front] = light[front]
        visible = pixels(layer.reach == FAR)[..., None]
        image = grounds[camera, background] * visible + 255 * pixels(layer.light)[..., None]
        images.append(np.clip(image + pixels(coloured)[..., None] * COLOURS[colour], 0, 255))
    return np.array(images)


def fit(frames: Images, classes: Indices, fields: list[str], rounds: int, scene: Scene = SCENE) -> Scene:
    """Fit the constants whose names start with one of `fields` by damped Gauss-Newton."""
    constants = constants_of(scene)
    names = [name for name in constants if any(f"{name}.".startswith(f"{field}.") for field in fields)]

    def residual(changed: dict[str, float]) -> Floats:
        difference: Floats = (render(scene_of(constants | changed, scene), classes) - frames).ravel()
        return difference

    def cost(difference: Floats) -> float:
        return float((np.sqrt(1 + (difference / _HUBER) ** 2) - 1).mean() * 2 * _HUBER**2)

    now = residual({})
    for _ in range(rounds):
        slopes = np.empty((len(names), now.size), np.float32)
        for row, name in zip(slopes, names, strict=True):
            step = step_of(name)
            ends = [residual({name: constants[name] + way * step}) for way in (1, -1)]
            row[:] = (ends[0] - ends[1]) / (2 * step)
        weighted = slopes / np.sqrt(1 + (now / _HUBER) ** 2).astype(np.float32)
        matrix, vector = weighted @ slopes.T, weighted @ now.astype(np.float32)
        scale = np.sqrt(np.diag(matrix)) + 1e-3
        change = (
            -np.linalg.solve(matrix / np.outer(scale, scale) + _DAMPING * np.eye(len(names)), vector / scale) / scale
        )
        limit = np.array([4 * step_of(name) for name in names])
        change = np.clip(change, -limit, limit)
        trials = [
            {name: constants[name] + part * float(d) for name, d in zip(names, change, strict=True)}
            for part in (0.0, 0.15, 0.5, 1.0)
        ]
        costs = [cost(residual(trial)) for trial in trials]
        constants |= trials[int(np.argmin(costs))]
        now = residual({})
        print(f"cost {costs[0]:.3f} -> {min(costs):.3f}, mean error {np.abs(now).mean():.3f}", flush=True)
    return scene_of({name: round(value, 4) for name, value in constants.items()}, scene)


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold the rendered MPI3D toy against 140 official frames.")
    parser.add_argument("--fit", nargs="+", metavar=("ROUNDS", "FIELD"), help="rounds, then fields such as cameras")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png")
    arguments = parser.parse_args()
    frames, classes = np.load(OFFICIAL)["toy"].reshape(-1, 64, 64, 3), schedule().reshape(-1, len(FACTORS))

    if arguments.fit:
        rounds, *fields = arguments.fit
        _, first = np.unique(classes, axis=0, return_index=True)
        print(fit(frames[first], classes[first], fields, int(rounds)))
        return

    matches, found = best_matches(frames, classes)
    print("factor            frame  classes                  best match               error")
    for number, (expected, match, error) in enumerate(zip(classes, matches, found, strict=True)):
        factor, frame = divmod(number, NUM_FRAMES)
        print(f"{FACTORS.names[factor]:17s} {frame:5d}  {expected!s:23s}  {match!s:23s}  {error:5.2f}")
    print(f"mean {found.mean():.2f}, largest {found.max():.2f} grey levels")
    if arguments.sheet:
        pairs = np.concatenate([frames, images_of(matches)], axis=1)
        rows = [np.concatenate(list(pairs[start : start + 10]), axis=1) for start in range(0, len(pairs), 10)]
        matplotlib.image.imsave(arguments.sheet, np.concatenate(rows).repeat(2, axis=0).repeat(2, axis=1))


if __name__ == "__main__":
    main()
