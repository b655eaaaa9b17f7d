"""Isaac3D and Falcor3D: renderings of a robot arm in a kitchen and of a living room, from the unpacked files.

Nie et al., "Semi-Supervised StyleGAN for Disentanglement Learning", ICML 2020. Image i is `images/%06d.png`, and row i
of the labels has its values. The order of factors is that of the labels and of the authors' `dataset_demo.py`; their
README names the factors of Isaac3D in another order, which its own index formula does not fit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from lrx.core.factors import FactorSpace
from lrx.core.text import join_names
from lrx.core.validation import check_whole
from lrx.data.grid import GridDataset
from lrx.data.labelled import PickedPixels
from lrx.data.official.checksums import OfficialFile
from lrx.data.official.factor_order import grid_rows
from lrx.data.official.official_file import find_official
from lrx.data.store.array_file import NPY, find_array
from lrx.data.store.cache import Origin, Progress, Recipe, open_or_convert
from lrx.data.store.picture_stream import stream
from lrx.data.store.pictures import Treatment, open_picture
from lrx.data.store.pixels import MappedPixels

PAGE = "https://github.com/NVlabs/High-res-disentanglement-datasets"
NO_FACTORS = FactorSpace((), ())
LARGEST = 1 << 23  # bytes of one image


@dataclass(frozen=True)
class Rendering:
    """Data set of this kind: its name, its file of labels, and its factors."""

    name: str
    labels: str
    factors: FactorSpace


ISAAC3D = Rendering(
    "isaac3d",
    "Isaac3D_down128/labels.npy",
    FactorSpace(
        (
            *("object_shape", "robot_x", "robot_y", "camera_height", "object_scale", "lighting_intensity"),
            *("lighting_y_dir", "object_color", "wall_color"),
        ),
        (3, 8, 5, 4, 4, 4, 6, 4, 4),
    ),
)
FALCOR3D = Rendering(
    "falcor3d",
    "Falcor3D_down128/train-rec.labels",
    FactorSpace(
        (
            *("lighting_intensity", "lighting_x_dir", "lighting_y_dir", "lighting_z_dir"),
            *("camera_x", "camera_y", "camera_z"),
        ),
        (5, 6, 6, 6, 6, 6, 6),
    ),
)


def isaac3d(*, root: str, size: int, progress: Progress | None = None) -> GridDataset:
    """Return 737,280 images (3, size, size) over nine factors.

    root: the folder with `Isaac3D_down128`, unpacked, or with `isaac3d/Isaac3D_down128`. The images are kept beside its
        images uncompressed, 9.1 GB at size 64, made once; a changed folder is converted again.
    size: the side that images are resized to; 128 is their own.
    progress: called with (images done, images in all) while they are decoded.
    ValueError for files that are not what they should be, FileNotFoundError where there are none, OSError where the
    images cannot be written.
    """
    return open_rendering(ISAAC3D, root, size, progress)


def falcor3d(*, root: str, size: int, progress: Progress | None = None) -> GridDataset:
    """Return 233,280 images (3, size, size) over seven factors; 2.9 GB at size 64; otherwise as `isaac3d`.

    root: the folder with `Falcor3D_down128`, unpacked, or with `falcor3d/Falcor3D_down128`.
    """
    return open_rendering(FALCOR3D, root, size, progress)


def official_isaac3d() -> list[OfficialFile]:
    """Return the labels, by which the unpacked folder is known."""
    return [OfficialFile(name=ISAAC3D.labels, page=PAGE)]


def official_falcor3d() -> list[OfficialFile]:
    """Return the labels, by which the unpacked folder is known."""
    return [OfficialFile(name=FALCOR3D.labels, page=PAGE)]


def open_rendering(which: Rendering, root: str, size: int, progress: Progress | None = None) -> GridDataset:
    """Return the data set over its factors, as `isaac3d`."""
    check_whole("size", size, 1)
    labels = find_official(name=which.name, root=root, file_names=(which.labels,), page=PAGE)
    rows = grid_rows(labels, which.factors, _values(labels, which.factors))
    folder = labels.parent / "images"
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} beside {labels.name}; unpack the images there")
    count, shape = which.factors.num_points, (which.factors.num_points, size, size, 3)
    treatment = Treatment(None, size)
    changed = datetime.fromtimestamp(folder.stat().st_mtime, UTC).isoformat()  # asking each file is slow
    details = f"unpacked folder {labels.parent.name} as of {changed}, {treatment.words}"

    def blocks() -> Iterator[np.ndarray]:
        names = [f"{number:06d}.png" for number in range(count)]
        _check_names(folder, set(names))
        yield from stream(
            names, lambda name: _decode(folder / name, treatment), shape=shape[1:], on_corrupt="error", skipped=[]
        )

    recipe = Recipe(which.name, shape, "uint8", NO_FACTORS, Origin(details=details))
    cache = open_or_convert(folder.with_name(f"{which.name}_{size}"), recipe, blocks, progress=progress)
    pixels = PickedPixels(MappedPixels(cache.pixels, shape=shape), rows)
    return GridDataset(
        name=which.name,
        source=cache.source,
        fingerprint=pixels.fingerprint(cache.fingerprint),
        factors=which.factors,
        pixels=pixels,
    )


def _values(labels: Path, factors: FactorSpace) -> np.ndarray:
    """Return the labels (N, F), an npy file whatever its ending."""
    array = find_array(labels, "labels")
    shape = (factors.num_points, len(factors))
    if array.kind != NPY or array.shape != shape or array.dtype.kind not in "iuf":
        raise ValueError(f"{labels} has shape {array.shape} and dtype {array.dtype}, not {shape} and numbers in npy")
    return np.concatenate(list(array.rows()))


def _check_names(folder: Path, expected: set[str]) -> None:
    present = {name for name in os.listdir(folder) if not name.startswith(".")}
    if present != expected:
        wrong = [f"{name} is missing" for name in sorted(expected - present)[:1]]
        wrong += [f"{name} is not among them" for name in sorted(present - expected)[:1]]
        raise ValueError(f"{folder} has {len(present):,} files, not {len(expected):,} images: {join_names(wrong)}")


def _decode(file: Path, treatment: Treatment) -> np.ndarray:
    """Decode an image to uint8 (H, W, 3). Unreadable when it is damaged, ValueError when it is no square."""
    if file.stat().st_size > LARGEST:
        raise ValueError(f"{file} has {file.stat().st_size:,} bytes, more than any of these images: refused")
    with open_picture(file.read_bytes(), str(file), formats=("PNG",)) as picture:
        if picture.width != picture.height:
            raise ValueError(f"{file} is {picture.width} x {picture.height} pixels, and not a square")
        return treatment.pixels(picture, str(file), channels=3)
