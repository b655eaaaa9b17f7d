"""dSprites: 737,280 binary images of one white sprite, from an official file or rendered.

Matthey, Higgins, Hassabis and Lerchner, "dSprites: Disentanglement testing Sprites dataset", 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from lrx.core.checksum import sha256
from lrx.core.factors import FactorSpace
from lrx.core.paths import expand_user
from lrx.core.validation import SettingError
from lrx.data.grid import GridDataset
from lrx.data.official.checksums import OfficialFile, Release
from lrx.data.official.factor_order import check_classes
from lrx.data.official.official_file import official_file
from lrx.data.render.dsprites import FACTORS, RENDERER, SIDE, render_sprites
from lrx.data.render.dsprites_variants import Variant, VariantPixels, open_variant
from lrx.data.store import hdf5, npz
from lrx.data.store.cache import Origin, Progress, Recipe, open_or_convert
from lrx.data.store.pixels import NotBinary, PackedPixels, pack

PAGE = "https://github.com/google-deepmind/dsprites-dataset"
NPZ = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
HDF5 = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5"
RELEASES = {
    ".npz": Release("md5", "7da33b31b13a06f4b04a70402ce90c2e"),
    ".hdf5": Release("sha256", "729fa22e884c9c500e1f17415d580746b4c5894fbbb780a1319bbcfa39a745bb"),
}


def dsprites(
    *,
    root: str,
    source: str,
    variant: str | None = None,
    picture: str | None = None,
    progress: Progress | None = None,
) -> GridDataset:
    """Return images (1, 64, 64) in {0, 1} over color, shape, scale, orientation, position_x, position_y.

    root: the folder with an official file (npz before hdf5; `root/dsprites` is looked through too). The converted or
        rendered images are kept beside the file or in `root/rendered`: 377 MB, made once.
    source: "auto" takes an official file if there is one and renders otherwise, "file" insists, "rendered" renders.
    variant: None, or one with images (3, 64, 64), composed on demand: "color" (a sprite of random colour), "noisy" (on
        noise) or "scream" (on patches of a picture), see lrx.data.render.dsprites_variants.
    picture: the image file of which "scream" takes patches.
    progress: called with (images done, images in all) while images are converted or rendered.
    ValueError for a file that is not what it should be, FileNotFoundError where one is asked for and there is none,
    OSError where the images cannot be written.
    """
    chosen = None if variant is None else open_variant(variant, picture)
    if variant is None and picture is not None:
        raise SettingError("picture is for dataset.variant=scream")
    file = official_file(name="dsprites", root=root, source=source, file_names=(NPZ, HDF5))
    stem = expand_user(root) / "rendered" / "dsprites"
    dataset = from_file(file, FACTORS, progress) if file else _render(stem, progress)
    return dataset if chosen is None else _with_variant(dataset, chosen)


def official(*, addresses: Mapping[str, str] | None = None) -> list[OfficialFile]:
    """Return the official file to have: the npz, which is enough; the HDF5 edition holds the same images.

    addresses: where files are fetched from, by file name.
    """
    address = (addresses or {}).get(NPZ)
    return [OfficialFile(name=NPZ, page=PAGE, release=RELEASES[".npz"], address=address, rendered=True)]


def from_file(path: Path, factors: FactorSpace, progress: Progress | None = None) -> GridDataset:
    """Return the data set in an official file over this grid: an npz by its suffix, else an HDF5 file."""
    origin = Origin(file=path, release=RELEASES[path.suffix])
    return _open(path, _recipe(factors, origin), lambda: _packed_blocks(path, factors), progress)


def _render(stem: Path, progress: Progress | None) -> GridDataset:
    return _open(stem, _recipe(FACTORS, Origin(renderer=RENDERER)), render_sprites, progress)


def _with_variant(dataset: GridDataset, variant: Variant) -> GridDataset:
    words = f"variant {variant.name} ({variant.words})"
    return GridDataset(
        name=f"{variant.name}_dsprites",
        source=f"{dataset.source}, {words}",
        fingerprint=sha256(f"{dataset.fingerprint}, {words}"),
        factors=dataset.factors,
        pixels=VariantPixels(dataset.pixels, variant),
    )


def _recipe(factors: FactorSpace, origin: Origin) -> Recipe:
    return Recipe("dsprites", (factors.num_points, SIDE * SIDE // 8), "uint8", factors, origin)


def _open(
    stem: Path, recipe: Recipe, blocks: Callable[[], Iterator[np.ndarray]], progress: Progress | None
) -> GridDataset:
    cache = open_or_convert(stem, recipe, blocks, progress=progress)
    pixels = PackedPixels(cache.pixels, num_images=recipe.shape[0], height=SIDE, width=SIDE)
    return GridDataset(
        name=recipe.name,
        source=cache.source,
        fingerprint=cache.fingerprint,
        factors=recipe.factors,
        pixels=pixels,
    )


def _packed_blocks(path: Path, factors: FactorSpace) -> Iterator[np.ndarray]:
    """Yield the images of an official file, eight pixels a byte, after a check that their labels are in order."""
    images_shape, labels_shape = (factors.num_points, SIDE, SIDE), (factors.num_points, len(factors))
    if path.suffix == ".npz":
        labels = npz.read_rows(path, "latents_classes", shape=labels_shape, dtype="int64", num_rows=1 << 16)
        images = npz.read_rows(path, "imgs", shape=images_shape, dtype="uint8", num_rows=1 << 12)
    else:
        labels = hdf5.read_rows(path, "latents/classes", shape=labels_shape, dtype="int64")
        images = hdf5.read_rows(path, "imgs", shape=images_shape, dtype="uint8")
    check_classes(path, factors, labels)
    try:
        yield from map(pack, images)
    except NotBinary as error:
        raise ValueError(f"{path}: {error}") from error
