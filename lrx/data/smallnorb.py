"""SmallNORB: photographs of 50 toys by two cameras, 96 x 96 pixels, grey, from the official files.

LeCun, Huang and Bottou, "Learning Methods for Generic Object Recognition with Invariance to Pose and Lighting", CVPR
2004, the small data set of October 2005. The files hold the images in an order of their own; here they are in that of
the grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrx.core.checksum import sha256
from lrx.core.factors import FactorSpace
from lrx.core.validation import SettingError, check_choice, check_whole
from lrx.data.grid import GridDataset
from lrx.data.labelled import PickedPixels
from lrx.data.official.checksums import OfficialFile, Release
from lrx.data.official.factor_order import grid_rows
from lrx.data.official.norb_matrix import read_rows
from lrx.data.official.official_file import find_official
from lrx.data.store.cache import Origin, Progress, Recipe, open_or_convert
from lrx.data.store.pictures import Treatment, resized
from lrx.data.store.pixels import JoinedPixels, MappedPixels

NAME = "smallnorb"
PAGE = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
TRAIN, TEST = "smallnorb-5x46789x9x18x6x2x96x96-training", "smallnorb-5x01235x9x18x6x2x96x96-testing"
PARTS = {"train": (TRAIN,), "test": (TEST,), "all": (TRAIN, TEST)}
DAT, CAT, INFO, GZ = "-dat.mat", "-cat.mat", "-info.mat", ".gz"
MD5 = {  # with gzip, and unpacked, as disent and other loaders have them; the page has none
    TRAIN + DAT: ("66054832f9accfe74a0f4c36a75bc0a2", "8138a0902307b32dfa0025a36dfa45ec"),
    TRAIN + CAT: ("23c8b86101fbf0904a000b43d3ed2fd9", "fd5120d3f770ad57ebe620eb61a0b633"),
    TRAIN + INFO: ("51dee1210a742582ff607dfd94e332e3", "19faee774120001fc7e17980d6960451"),
    TEST + DAT: ("e4ad715691ed5a3a5f138751a4ceb071", "e9920b7f7b2869a8f1a12e945b2c166c"),
    TEST + CAT: ("5aa791cd7e6016cf957ce9bdb93b8603", "fd5120d3f770ad57ebe620eb61a0b633"),
    TEST + INFO: ("a9454f3864d7fd4bb3ea7fc3eb84924e", "7c5b871cc69dcadec1bf6a18141f5edc"),
}
FACTORS = FactorSpace(("category", "instance", "elevation", "azimuth", "lighting"), (5, 5, 9, 18, 6))  # of one part
CATEGORIES = ("animal", "human", "plane", "truck", "car")
SIDE, CAMERAS = 96, 2
NO_FACTORS = FactorSpace((), ())
NUM_ROWS = 256  # pairs converted at a time


@dataclass(frozen=True)
class Part:
    """Part of the data set, as its files have it."""

    pixels: MappedPixels  # of all pairs, the cameras in turn
    values: np.ndarray  # int64 (pairs, factors), as in the files
    source: str
    fingerprint: str
    labels: Path


def smallnorb(*, root: str, part: str, camera: int, size: int, progress: Progress | None = None) -> GridDataset:
    """Return images (1, size, size) over category, instance, elevation, azimuth and lighting.

    root: the folder with the official files, with gzip or unpacked (`root/smallnorb` is looked through too). The images
        of both cameras are kept beside them, 199 MB a part at size 64, made once.
    part: "train" (instances 4, 6, 7, 8, 9), "test" (0, 1, 2, 3, 5) or "all", 48,600 images of 10 instances.
    camera: 0 or 1, of each pair of images.
    size: the side that images are resized to; 96 is their own.
    progress: called with (images done, images in all) while a part is converted.
    ValueError for files that are not what they should be, FileNotFoundError where there are none, OSError where the
    images cannot be written.
    """
    check_choice("part", part, tuple(PARTS))
    check_whole("size", size, 1)
    if isinstance(camera, bool) or camera not in range(CAMERAS):
        raise SettingError(f"camera must be 0 or 1, not {camera!r}")
    parts = [_open_part(root, stem, size, progress) for stem in PARTS[part]]
    values = np.concatenate([each.values for each in parts])
    sizes = dict(zip(FACTORS.names, FACTORS.sizes, strict=True))
    factors = FactorSpace(FACTORS.names, tuple((sizes | {"instance": sizes["instance"] * len(parts)}).values()))
    rows = grid_rows(parts[-1].labels, factors, values)
    pixels = PickedPixels(JoinedPixels([each.pixels for each in parts]), CAMERAS * rows + camera)
    dataset = GridDataset(
        name=NAME,
        source=f"{'; '.join(each.source for each in parts)}; camera {camera}",
        fingerprint=pixels.fingerprint(sha256(" ".join(each.fingerprint for each in parts))),
        factors=factors,
        pixels=pixels,
    )
    dataset.class_names = _class_names(values)
    return dataset


def official(*, part: str, addresses: Mapping[str, str] | None = None) -> list[OfficialFile]:
    """Return the official files of a part. addresses: where files are fetched from, by file name."""
    check_choice("part", part, tuple(PARTS))
    names = [stem + kind for stem in PARTS[part] for kind in (DAT, CAT, INFO)]
    return [
        OfficialFile(
            name=name + GZ, page=PAGE, release=Release("md5", MD5[name][0]), address=(addresses or {}).get(name + GZ)
        )
        for name in names
    ]


def _open_part(root: str, stem: str, size: int, progress: Progress | None) -> Part:
    images, categories, info = (
        find_official(name=NAME, root=root, file_names=(stem + kind + GZ, stem + kind), page=PAGE)
        for kind in (DAT, CAT, INFO)
    )
    num_pairs = FACTORS.num_points
    (category_N,) = read_rows(categories, shape=(num_pairs,), dtype="<i4", num_rows=num_pairs)
    (info_NF,) = read_rows(info, shape=(num_pairs, len(FACTORS) - 1), dtype="<i4", num_rows=num_pairs)
    shape = (CAMERAS * num_pairs, size, size, 1)
    treatment = Treatment(None, None if size == SIDE else size)
    release = Release("md5", MD5[stem + DAT][0 if images.suffix == GZ else 1])
    recipe = Recipe(NAME, shape, "uint8", NO_FACTORS, Origin(images, release, details=treatment.words))

    def blocks() -> Iterator[np.ndarray]:
        pairs = (num_pairs, CAMERAS, SIDE, SIDE)
        for block in read_rows(images, shape=pairs, dtype="|u1", num_rows=NUM_ROWS):
            yield resized(block.reshape(-1, SIDE, SIDE, 1), size)

    cache = open_or_convert(images.with_name(f"{stem}_{size}"), recipe, blocks, progress=progress)
    pixels = MappedPixels(cache.pixels, shape=shape)
    values = np.column_stack([category_N, info_NF]).astype(np.int64)
    return Part(pixels, values, cache.source, cache.fingerprint, info)


def _class_names(values: np.ndarray) -> dict[str, tuple[str, ...]]:
    """Return the meaning of each class, as the page of the data set has it: angles in degrees."""
    category, instance, elevation, azimuth, _ = (np.unique(column).tolist() for column in values.T)
    return {
        "category": tuple(CATEGORIES[value] if value in range(len(CATEGORIES)) else str(value) for value in category),
        "instance": tuple(map(str, instance)),
        "elevation": tuple(str(30 + 5 * value) for value in elevation),
        "azimuth": tuple(str(10 * value) for value in azimuth),
    }
