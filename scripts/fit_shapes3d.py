"""Compare the rendered 3D Shapes with the 25 official images, and refit the constants of its scene.

    python scripts/fit_shapes3d.py                       best match of every official image, as a table
    python scripts/fit_shapes3d.py --fit 3               three rounds of fitting from the present constants, printed
    python scripts/fit_shapes3d.py --fit 3 --leave-out 5 the same without every fifth image, judged on those

The images come from a figure that was read back with nearest-neighbour sampling, which took some rows and columns twice
and left out their neighbours. `as_published` does the same to an exact image, so that the two can be compared.
"""

import argparse
import dataclasses
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lrx.data.render.compose import ComposedPixels
from lrx.data.render.shapes3d import (
    FLOOR,
    HUE_LEVELS,
    NUM_GEOMETRIES,
    OBJECT,
    ORIENTATIONS,
    SCALES,
    SHAPES,
    SKY,
    UNITS,
    WALL,
    Room,
    Scene,
    render_geometries,
)
from lrx.data.render.solids import Solid

OFFICIAL = Path(__file__).parents[1] / "tests" / "data" / "3dshapes_images.npz"
SIZES = (10, 10, 10, 8, 4, 15)
Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

# Whether row i of a published sample is row i + 1 (1) or i (0) of the exact image: for the upper three lines of five
# images in the figure and for the lower two. Found by comparing rows with renders; repeated rows agree with it.
_ROW_SHIFTS = (
    "1111111111111111011101110011001000100010000000000000000000000000",
    "1111111111111110111011101100110010001000000000000000000000000000",
)
_LATER_COLUMNS, _EARLIER_COLUMNS = [0, 4], [59, 63]
_UPPER_IMAGES = 15

_HUBER = 10.0  # grey levels beyond which a residual counts less, for edges
_TILT = 0.008  # step of a finite difference: half a traced pixel at the object; other steps where that is too fine
_STEPS = {"pitch": 0.002, "focal": 0.15, "back": 0.015, "side": 0.015, "lamp_exponent": 0.3, "lamp_position": 0.15}
_STEPS |= {"facet": 0.05, "wall_tiles": 0.02, "floor_tiles": 0.02, "floor_origin": 0.02}
_FIXED = ("distance", "lamp_axis.2", "solids.2.half")  # the unit of length, the length of a direction, a sphere


def as_published(images: np.ndarray, samples: npt.NDArray[np.int64]) -> np.ndarray:
    """Resample exact images (N, 64, 64, 3) as the published samples with these numbers (N,) were."""
    columns = np.arange(64)
    columns[_LATER_COLUMNS] += 1
    columns[_EARLIER_COLUMNS] -= 1
    rows = np.arange(64) + np.array([[int(shift) for shift in shifts] for shifts in _ROW_SHIFTS])
    rows = rows[(samples >= _UPPER_IMAGES).astype(int)]
    return images[np.arange(len(images))[:, None, None], rows[:, :, None], columns]


def best_match(pixels: ComposedPixels, image: Images, sample: int | None = None) -> tuple[int, float]:
    """Return the index of the composed image nearest to an official one, and their mean difference in grey levels.

    The hues of floor, wall and object are read off where every geometry shows the same material; then all 480
    geometries are tried, and then all ten hues of each material at the best of them.

    Args:
        pixels: the grid to search.
        image: (64, 64, 3) official image.
        sample: its number among the published samples, to compare after `as_published`; None to compare as it is.
    """

    def errors(indices: npt.NDArray[np.int64]) -> Floats:
        candidates = pixels[indices].transpose(0, 2, 3, 1)
        if sample is not None:
            candidates = as_published(candidates, np.full(len(indices), sample))
        return np.abs(candidates.astype(np.int16) - image).mean(axis=(1, 2, 3))

    colour = np.ravel_multi_index(hues(image), SIZES[:3])
    index = int(colour) * NUM_GEOMETRIES + int(errors(colour * NUM_GEOMETRIES + np.arange(NUM_GEOMETRIES)).argmin())
    for step in (100, 10, 1):
        digit = index // NUM_GEOMETRIES // step % 10
        candidates = index + (np.arange(10) - digit) * step * NUM_GEOMETRIES
        index = int(candidates[errors(candidates).argmin()])
    return index, float(errors(np.array([index]))[0])


def hues(image: Images) -> list[int]:
    """Return the hue indices of floor, wall and object."""
    found = []
    for part in (image[60:], image[26:30, 6:14], image[44:48, 30:34]):
        colour = np.median(part.reshape(-1, 3), axis=0)
        found.append(int(np.abs(HUE_LEVELS / 5 - colour / max(1, colour.max())).sum(axis=1).argmin()))
    return found


@dataclasses.dataclass(frozen=True)
class Sample:
    """Official image and its best match with the present constants."""

    number: int
    image: Images
    index: int

    def render(self, constants: dict[str, float]) -> Floats:
        """Return the same image from other constants, unrounded."""
        *colours, scale, shape, orientation = np.unravel_index(self.index, SIZES)
        scene = scene_of(constants)
        solid = scene.solids[shape].scaled(SCALES[scale])
        maps = Room(scene, ORIENTATIONS[orientation]).furnished(SHAPES[shape], solid).astype(np.float64)
        levels = zip((FLOOR, WALL, OBJECT), colours, strict=True)
        image = maps[SKY : SKY + 3] + sum(maps[first + HUE_LEVELS[hue]] for first, hue in levels)
        return as_published(np.clip(image / UNITS, 0, 255).transpose(1, 2, 0)[None], np.array([self.number]))[0]

    def error(self, constants: dict[str, float]) -> float:
        return float(np.abs(self.image - self.render(constants)).mean())

    def equations(self, constants: dict[str, float], names: list[str]) -> tuple[Floats, Floats]:
        """Return the weighted normal equations of a Gauss-Newton step."""
        now = self.render(constants)
        slopes = []
        for name in names:
            step = _STEPS.get(name.split(".")[0], _TILT)
            ends = [self.render(constants | {name: constants[name] + way * step}) for way in (1, -1)]
            slopes.append((ends[0] - ends[1]).ravel() / (2 * step))
        residual = (self.image - now).ravel()
        weight = 1 / np.sqrt(1 + (residual / _HUBER) ** 2)
        weight[(self.image.ravel() == 255) & (now.ravel() > 254.5)] = 0
        weighted = np.array(slopes) * weight
        return weighted @ np.array(slopes).T, weighted @ residual


def constants_of(scene: Scene) -> dict[str, float]:
    """Return every number of a scene by dotted name."""
    found: dict[str, float] = {}

    def walk(name: str, value: object) -> None:
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                walk(f"{name}.{field.name}", getattr(value, field.name))
        elif isinstance(value, tuple):
            for position, part in enumerate(value):
                walk(f"{name}.{position}", part)
        else:
            found[name.removeprefix(".")] = value

    walk("", scene)
    return found


def scene_of(constants: dict[str, float]) -> Scene:
    """Return the scene of constants by dotted name, the inverse of `constants_of`."""
    settings = {}
    for field in dataclasses.fields(Scene):
        values = [value for name, value in constants.items() if name.split(".")[0] == field.name]
        if field.name == "solids":
            settings[field.name] = tuple(Solid(*values[i : i + 3]) for i in range(0, len(values), 3))
        else:
            settings[field.name] = values[0] if field.name in constants else tuple(values)
    return Scene(**settings)


def fit(samples: list[Sample], rounds: int) -> dict[str, float]:
    """Fit all constants by damped Gauss-Newton, a few minutes per round."""
    constants = constants_of(Scene())
    names = [name for name in constants if name not in _FIXED]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for _ in range(rounds):
            parts = list(pool.map(Sample.equations, samples, *zip(*[(constants, names)] * len(samples), strict=True)))
            matrix, vector = (sum(part[side] for part in parts) for side in (0, 1))
            scale = np.sqrt(np.diag(matrix)) + 1e-6
            change = (
                np.linalg.solve(matrix / np.outer(scale, scale) + 0.01 * np.eye(len(names)), vector / scale) / scale
            )
            limit = np.array([5 * _STEPS.get(name.split(".")[0], _TILT) for name in names])
            change = np.clip(change, -limit, limit)
            trials = [
                constants | {name: constants[name] + part * d for name, d in zip(names, change, strict=True)}
                for part in (0.0, 0.4, 1.0)
            ]
            errors = [np.mean([sample.error(trial) for sample in samples]) for trial in trials]
            constants = trials[int(np.argmin(errors))]
            print(f"mean error {errors[0]:.3f} -> {min(errors):.3f}", flush=True)
    return constants


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold the rendered 3D Shapes against 25 official images.")
    parser.add_argument("--fit", type=int, default=0, metavar="ROUNDS")
    parser.add_argument("--leave-out", type=int, default=0, metavar="N", help="judge a fit on every Nth image")
    arguments = parser.parse_args()

    pixels = ComposedPixels(render_geometries())
    print("image  floor wall object scale shape orientation   error  resampled alike")
    samples, errors = [], []
    for number, image in enumerate(np.load(OFFICIAL)["samples"]):
        plain = best_match(pixels, image)[1]
        index, alike = best_match(pixels, image, number)
        samples.append(Sample(number, image, index))
        errors.append((plain, alike))
        classes = "".join(
            f"{digit:{width}d}"
            for digit, width in zip(np.unravel_index(index, SIZES), (7, 5, 7, 6, 6, 12), strict=True)
        )
        print(f"{number:5d}{classes}   {plain:5.2f} {alike:16.2f}")
    print(f"mean {np.mean(errors, axis=0).round(2)}, largest {np.max(errors, axis=0).round(2)}")

    if arguments.fit:
        left = samples[:: arguments.leave_out] if arguments.leave_out else []
        constants = fit([s for s in samples if all(s is not out for out in left)], arguments.fit)
        print({name: round(value, 4) for name, value in constants.items()})
        for sample in left:
            print(f"left out {sample.number}: {sample.error(constants):.2f}")


if __name__ == "__main__":
    main()
