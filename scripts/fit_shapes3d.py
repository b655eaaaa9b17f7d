"""Hold the re-rendered 3D Shapes against the official images, and fit the constants of its scene again.

    python scripts/fit_shapes3d.py                  best match of every official image, as a table
    python scripts/fit_shapes3d.py --fit            also refine the constants, and print them
    python scripts/fit_shapes3d.py --fit --leave 5  the same, but judge every fifth image by a fit to the others

The 25 images come from a figure that was read back with nearest-neighbour sampling, which drew some rows and columns
twice and left out their neighbours. `as_published` does the same to an exact image, so that the two can be compared.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lrx.data.render.compose import ComposedPixels
from lrx.data.render.shapes3d import HUE_LEVELS, NUM_GEOMETRIES, Scene, render_geometries

OFFICIAL = Path(__file__).parents[1] / "tests" / "data" / "3dshapes_images.npz"
Images = npt.NDArray[np.uint8]

# For row i of the published samples, whether it shows row i + 1 (1) or row i (0) of the exact image: for the figure's
# first three lines of five images and for its last two. Found by comparing rows with renders; repeated rows agree.
_ROW_SHIFTS = (
    "1111111111111111011101110011001000100010000000000000000000000000",
    "1111111111111110111011101100110010001000000000000000000000000000",
)
_LATER_COLUMNS, _EARLIER_COLUMNS = (0, 4), (59, 63)


def as_published(images: Images, samples: npt.NDArray[np.int64]) -> Images:
    """Resample exact images (N, 64, 64, 3) as the published samples with these numbers (N,) were."""
    columns = np.arange(64)
    columns[list(_LATER_COLUMNS)] += 1
    columns[list(_EARLIER_COLUMNS)] -= 1
    rows = np.arange(64) + np.array([[int(shift) for shift in shifts] for shifts in _ROW_SHIFTS])
    return images[np.arange(len(images))[:, None, None], rows[(samples >= 15).astype(int)][:, :, None], columns]


def best_match(pixels: ComposedPixels, image: Images, sample: int | None = None) -> tuple[int, float]:
    """Index of the composed image nearest to an official one, and their mean absolute difference in grey levels.

    The hues of floor, wall and object are read off where every geometry shows the same material; then all 480
    geometries are tried, and then all ten hues of each material at the best of them.

    Args:
        pixels: the grid to search.
        image: (64, 64, 3) official image.
        sample: its number among the published samples, to compare after `as_published`; None to compare as it is.
    """

    def errors(indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        candidates = pixels[indices].transpose(0, 2, 3, 1)
        if sample is not None:
            candidates = as_published(candidates, np.full(len(indices), sample))
        return np.abs(candidates.astype(np.int16) - image).mean(axis=(1, 2, 3))

    hues = [_nearest_hue(part) for part in (image[60:], image[26:30, 6:14], image[44:48, 30:34])]
    colour = np.ravel_multi_index(hues, (10, 10, 10))
    index = colour * NUM_GEOMETRIES + int(errors(colour * NUM_GEOMETRIES + np.arange(NUM_GEOMETRIES)).argmin())
    for step in (100, 10, 1):
        digit = index // NUM_GEOMETRIES // step % 10
        candidates = index + (np.arange(10) - digit) * step * NUM_GEOMETRIES
        index = int(candidates[errors(candidates).argmin()])
    return index, float(errors(np.array([index]))[0])


def _nearest_hue(part: Images) -> int:
    colour = np.median(part.reshape(-1, 3), axis=0)
    return int(np.abs(HUE_LEVELS / 5 - colour / max(1, colour.max())).sum(axis=1).argmin())


def main() -> None:
    samples = np.load(OFFICIAL)["samples"]
    pixels = ComposedPixels(render_geometries())
    print("image  floor wall object scale shape orientation   error  as published")
    table = []
    for number, image in enumerate(samples):
        _, plain = best_match(pixels, image)
        index, published = best_match(pixels, image, number)
        factors = np.unravel_index(index, (10, 10, 10, 8, 4, 15))
        table.append((plain, published))
        print(
            f"{number:5d}  {factors[0]:5d} {factors[1]:4d} {factors[2]:6d} {factors[3]:5d} {factors[4]:5d} {factors[5]:11d}   {plain:5.2f} {published:13.2f}"
        )
    print("mean", np.mean(table, axis=0), "worst", np.max(table, axis=0))


if __name__ == "__main__":
    main()
