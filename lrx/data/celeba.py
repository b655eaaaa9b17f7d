"""CelebA: 202,599 faces, 178 x 218 pixels, with 40 attributes each, from the official files.

Liu, Luo, Wang and Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015, the aligned and cropped edition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from lrx.core.factors import FactorSpace
from lrx.core.paths import expand_user
from lrx.core.validation import SettingError, is_whole
from lrx.data.labelled import LabelledDataset, PickedPixels
from lrx.data.official.celeba_files import FOLDER, WIDTH, decode, image_folder, jpegs, refuse_web_page
from lrx.data.official.celeba_lists import CSV, attribute_classes, attribute_header, image_name, split_codes
from lrx.data.official.checksums import OfficialFile, Release
from lrx.data.store.cache import Origin, Progress, Recipe, open_or_convert
from lrx.data.store.picture_stream import check_skipped, check_stream, stream
from lrx.data.store.pictures import Treatment
from lrx.data.store.pixels import MappedPixels, PixelStore

NAME = "celeba"
PAGE = "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
IMAGES, ATTRIBUTES, PARTITION = FOLDER + ".zip", "list_attr_celeba.txt", "list_eval_partition.txt"
RELEASES = {
    IMAGES: (1_443_490_838, Release("md5", "00d2c5bc6d35e252742224ab0c1e8fcb")),
    ATTRIBUTES: (26_721_026, Release("md5", "75e246fa4810816ffd6ee81facbd244c")),
    PARTITION: (2_836_386, Release("md5", "d32c9cbf5e040fd4025c592c306e6668")),
}
NO_FACTORS = FactorSpace(names=(), sizes=())


def celeba(
    *,
    root: str,
    size: int,
    crop: int,
    on_corrupt: str,
    workers: int | None = None,
    progress: Progress | None = None,
) -> LabelledDataset:
    """Return images (3, size, size) with 40 labels of the classes 0 and 1, and the official partition.

    root: the folder with `img_align_celeba.zip` (or with the folder `img_align_celeba`, unpacked) and the two lists,
        or with `celeba/` that holds them; Kaggle's edition (csv lists, a folder in a folder) is read, too. The images
        are kept beside it uncompressed, 2.49 GB at size 64, made once.
    crop: the side in pixels of the square cut from the centre, 1 to 178. size: the side that it is resized to.
    on_corrupt: "error" to stop at an unreadable image, "skip" to leave it out, with its labels; `source` counts them.
    workers: threads that decode; None for one a core.
    progress: called with (images done, images in all) while they are decoded.
    ValueError for files that are not what they should be, FileNotFoundError where there are none, OSError where the
    images cannot be written.
    """
    check_stream(on_corrupt=on_corrupt, workers=workers)
    if not is_whole(crop, 1) or crop > WIDTH:
        raise SettingError(f"crop must be a number of pixels from 1 to {WIDTH}, not {crop!r}")
    if not is_whole(size, 1):
        raise SettingError(f"size must be a number of pixels, at least 1, not {size!r}")
    images = _find(root, IMAGES, FOLDER)
    attributes, partition = (_find(root, name, Path(name).stem + CSV) for name in (ATTRIBUTES, PARTITION))
    count, label_names = attribute_header(attributes)
    classes = _read_codes(attributes, (count, len(label_names)), lambda: attribute_classes(attributes))
    codes = _read_codes(partition, (count, 1), lambda: split_codes(partition, count=count))[:, 0]

    shape, treatment, skipped = (count, size, size, 3), Treatment(crop, size), list[str]()
    recipe = Recipe(NAME, shape, "uint8", NO_FACTORS, _origin(images, treatment.words))

    def blocks() -> Iterator[np.ndarray]:
        names = [image_name(row) for row in range(count)]
        with jpegs(images, names) as read:
            yield from stream(
                names,
                lambda name: decode(read(name), name, treatment),
                shape=shape[1:],
                on_corrupt=on_corrupt,
                skipped=skipped,
                workers=workers,
            )

    stem = images.with_name(f"{FOLDER}_{crop}_{size}")
    cache = open_or_convert(stem, recipe, blocks, progress=progress, notes=skipped)
    pixels: PixelStore = MappedPixels(cache.pixels, shape=shape)
    fingerprint = cache.fingerprint
    left_out = check_skipped(cache.notes, on_corrupt=on_corrupt)
    if left_out:
        rows = np.setdiff1d(np.arange(count), [int(name.removesuffix(".jpg")) - 1 for name in cache.notes])
        readable = PickedPixels(pixels, rows)
        pixels, fingerprint, classes, codes = readable, readable.fingerprint(fingerprint), classes[rows], codes[rows]
    return LabelledDataset(
        name=NAME,
        source=cache.source + left_out,
        fingerprint=fingerprint,
        pixels=pixels,
        label_names=label_names,
        label_sizes=(2,) * len(label_names),
        classes=classes,
        partition=torch.from_numpy(codes.astype(np.int64)),
    )


def official(*, addresses: Mapping[str, str] | None = None) -> list[OfficialFile]:
    """Return the three files that CelebA is read from. addresses: to fetch them from, by file name."""
    return [
        OfficialFile(name=name, page=PAGE, release=release, num_bytes=num_bytes, address=(addresses or {}).get(name))
        for name, (num_bytes, release) in RELEASES.items()
    ]


def _find(root: str, *names: str) -> Path:
    """Return the first of these files or folders that exists; ValueError for a web page in its place."""
    folders = (expand_user(root), expand_user(root) / NAME)
    for path in (folder / name for name in names for folder in folders):
        if path.exists():
            if path.is_file():
                refuse_web_page(path)
            return path
    packed = [folder / "archive.zip" for folder in folders if (folder / "archive.zip").is_file()]
    if packed:
        raise FileNotFoundError(f"no file of {NAME}: {packed[0]} looks like Kaggle's edition; unpack it where it lies")
    raise FileNotFoundError(
        f"no file of {NAME}: looked for {' or '.join(names)} in {' and '.join(map(str, folders))}; "
        f"get it from {PAGE} and name the folder by dataset.root=... or LRX_DATA"
    )


def _read_codes(path: Path, shape: tuple[int, int], blocks: Callable[[], Iterator[np.ndarray]]) -> np.ndarray:
    """Return the codes of a list, uint8 `shape`, from a cache beside it: its text of 27 MB takes a second to parse."""
    origin = Origin(file=path, release=RELEASES[path.name][1] if path.name in RELEASES else None)
    cache = open_or_convert(path, Recipe(path.stem, shape, "uint8", NO_FACTORS, origin), blocks)
    return np.fromfile(cache.pixels, dtype=np.uint8).reshape(shape)


def _origin(images: Path, treatment: str) -> Origin:
    """Identify the zip; or the folder by its modification time, as asking 202,599 files for theirs is slow."""
    if not images.is_dir():
        return Origin(file=images, release=RELEASES[IMAGES][1], details=treatment)
    changed = datetime.fromtimestamp(image_folder(images).stat().st_mtime, UTC).isoformat()
    return Origin(details=f"unpacked folder {images.name} as of {changed}, {treatment}")
