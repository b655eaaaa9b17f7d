"""3D Shapes: 480,000 colour images of one object in a room, from the official file or rendered.

Burgess and Kim, "3D Shapes Dataset", 2018.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from lrx.core.factors import FactorSpace
from lrx.core.paths import expand_user
from lrx.data.grid import GridDataset
from lrx.data.official.checksums import OfficialFile, Release
from lrx.data.official.factor_order import check_classes, ranks
from lrx.data.official.official_file import official_file
from lrx.data.render.compose import ComposedPixels
from lrx.data.render.shapes3d import NUM_GEOMETRIES, NUM_MAPS, Scene, render_geometries
from lrx.data.store import hdf5
from lrx.data.store.cache import Origin, Progress, Recipe, open_or_convert
from lrx.data.store.pixels import MappedPixels

NAME = "3dshapes"
PAGE = "https://github.com/google-deepmind/3d-shapes"
FILE = "3dshapes.h5"
FILE_BYTES = 267_573_662
RELEASE = Release("sha256", "0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785")
FACTORS = FactorSpace(
    names=("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"), sizes=(10, 10, 10, 8, 4, 15)
)
SIDE = 64


def shapes3d(
    *,
    root: str,
    source: str,
    progress: Progress | None = None,
) -> GridDataset:
    """Return images (3, 64, 64) over floor_hue, wall_hue, object_hue, scale, shape, orientation.

    root: the folder with `3dshapes.h5`, or with `3dshapes/3dshapes.h5`. Its images are kept beside it uncompressed,
        5.9 GB, converted once; of rendered images only the 480 geometries are kept, 83 MB in `root/rendered`, and
        their colours are put in on demand.
    source: "auto" takes the official file if there is one and renders otherwise, "file" insists, "rendered" renders.
    progress: called with (done, in all) of the images converted or the geometries rendered.
    ValueError for a file that is not what it should be, FileNotFoundError where one is asked for and there is none,
    OSError where the images cannot be written.
    """
    file = official_file(name=NAME, root=root, source=source, file_names=(FILE,))
    stem = expand_user(root) / "rendered" / NAME
    return from_file(file, FACTORS, progress) if file else _render(stem, progress)


def official(*, addresses: Mapping[str, str] | None = None) -> list[OfficialFile]:
    """Return the official file to have. addresses: where files are fetched from, by file name."""
    address = (addresses or {}).get(FILE)
    return [OfficialFile(name=FILE, page=PAGE, release=RELEASE, num_bytes=FILE_BYTES, address=address, rendered=True)]


def from_file(path: Path, factors: FactorSpace, progress: Progress | None = None) -> GridDataset:
    """Return the data set in an official file over this grid."""
    shape = (factors.num_points, SIDE, SIDE, 3)
    recipe = Recipe(NAME, shape, "uint8", factors, Origin(file=path, release=RELEASE))
    cache = open_or_convert(path, recipe, lambda: _images(path, factors, shape), progress=progress)
    pixels = MappedPixels(cache.pixels, shape=shape)
    return GridDataset(name=NAME, source=cache.source, fingerprint=cache.fingerprint, factors=factors, pixels=pixels)


def _images(path: Path, factors: FactorSpace, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the images of an official file, after a check that their labels are in order."""
    labels = hdf5.read_rows(path, "labels", shape=(factors.num_points, len(factors)), dtype="float64")
    check_classes(path, factors, [ranks(np.concatenate(list(labels)))])
    yield from hdf5.read_rows(path, "images", shape=shape, dtype="uint8")


def _render(stem: Path, progress: Progress | None) -> GridDataset:
    shape = (NUM_GEOMETRIES, NUM_MAPS, SIDE, SIDE)
    recipe = Recipe(NAME, shape, "int16", FACTORS, Origin(renderer=f"lrx geometries 1, {Scene()}"))
    cache = open_or_convert(stem, recipe, lambda: [render_geometries(progress)])
    maps = np.memmap(cache.pixels, dtype=np.int16, mode="r", shape=shape)
    return GridDataset(
        name=NAME, source=cache.source, fingerprint=cache.fingerprint, factors=FACTORS, pixels=ComposedPixels(maps)
    )
