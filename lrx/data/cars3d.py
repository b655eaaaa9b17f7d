"""Cars3D: 17,568 colour images of 183 cars, from the official archive.

Reed, Zhang, Zhang and Lee, "Deep Visual Analogy-Making", NeurIPS 2015. Cars have no order: here it is that of their
names, `car_001_mesh` first. Other loaders take them as the file system or `list.txt` gives them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from lrx.core.checksum import sha256
from lrx.core.factors import FactorSpace
from lrx.core.text import join_names
from lrx.core.validation import check_whole
from lrx.data.grid import GridDataset
from lrx.data.labelled import PickedPixels
from lrx.data.official.cars3d_files import ARCHIVE, FOLDERS, SIDE, cars, folder_files
from lrx.data.official.checksums import OfficialFile, Release
from lrx.data.official.official_file import find_official
from lrx.data.store.cache import Origin, Progress, Recipe, open_or_convert
from lrx.data.store.picture_files import natural_order
from lrx.data.store.pictures import Treatment, resized
from lrx.data.store.pixels import MappedPixels

NAME = "cars3d"
PAGE = "http://www.scottreed.info/"
RELEASE = Release("md5", "4e866a7919c1beedf53964e6f7a23686")  # as disent and other loaders have it; the page has none
FACTORS = FactorSpace(("elevation", "azimuth", "car"), (4, 24, 183))
NO_FACTORS = FactorSpace((), ())


def cars3d(*, root: str, size: int, progress: Progress | None = None) -> GridDataset:
    """Return images (3, size, size) over elevation, azimuth and car.

    root: the folder with `nips2015-analogy-data.tar.gz`, or with the folder `cars` that it holds (`root/cars3d` is
        looked through too). The images are kept beside it, 216 MB at size 64, made once.
    size: the side that images are resized to; 128 is their own.
    progress: called with (images done, images in all) while they are converted.
    ValueError for files that are not what they should be, FileNotFoundError where there are none, OSError where the
    images cannot be written.
    """
    check_whole("size", size, 1)
    path = find_official(name=NAME, root=root, file_names=(ARCHIVE, *FOLDERS), page=PAGE)
    num_elevations, num_azimuths, num_cars = FACTORS.sizes
    shape = (FACTORS.num_points, size, size, 3)
    treatment = Treatment(None, None if size == SIDE else size)
    names: list[str] = []

    def blocks() -> Iterator[np.ndarray]:
        for name, images in cars(path, num_elevations=num_elevations, num_azimuths=num_azimuths):
            names.append(name)
            if len(names) > num_cars:
                break
            yield resized(images.reshape(-1, SIDE, SIDE, 3), size)
        if len(names) != num_cars or len(set(names)) != num_cars:
            many = "more than " if len(names) > num_cars else ""
            held = f"{many}{min(len(names), num_cars)} files of cars ({join_names(names, most=2) or 'none'})"
            raise ValueError(f"{path} holds {held}, not {num_cars}, each of another name")

    recipe = Recipe(NAME, shape, "uint8", NO_FACTORS, _origin(path, treatment.words))
    cache = open_or_convert(path.with_name(f"{NAME}_{size}"), recipe, blocks, progress=progress, notes=names)
    ordered = natural_order(cache.notes)
    place_of = {name: place for place, name in enumerate(cache.notes)}
    elevation, azimuth, car = FACTORS.classes(torch.arange(FACTORS.num_points)).numpy().T
    places = np.array([place_of[name] for name in ordered])[car]
    rows = (places * num_elevations + elevation) * num_azimuths + azimuth
    pixels = PickedPixels(MappedPixels(cache.pixels, shape=shape), rows)
    dataset = GridDataset(
        name=NAME,
        source=f"{cache.source}, cars by name",
        fingerprint=pixels.fingerprint(cache.fingerprint),
        factors=FACTORS,
        pixels=pixels,
    )
    dataset.class_names = {"car": tuple(ordered)}
    return dataset


def official(*, addresses: Mapping[str, str] | None = None) -> list[OfficialFile]:
    """Return the official archive. addresses: where it is fetched from, by file name."""
    return [OfficialFile(name=ARCHIVE, page=PAGE, release=RELEASE, address=(addresses or {}).get(ARCHIVE))]


def _origin(path: Path, treatment: str) -> Origin:
    """Identify the archive; or the files of the folder by their names, sizes and times."""
    if not path.is_dir():
        return Origin(file=path, release=RELEASE, details=treatment)
    listed = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in folder_files(path)]
    return Origin(details=f"unpacked folder {path.name}, files {sha256(repr(listed))[:12]}, {treatment}")
