"""MPI3D: colour images of an object on a robot arm, simulated or photographed, from the official files or,
of the toy, rendered.

Gondal et al., "On the Transfer of Inductive Bias from Simulation to the Real World: a New Disentanglement Dataset",
NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrx.core.factors import FactorSpace
from lrx.core.paths import expand_user
from lrx.core.validation import SettingError, check_choice
from lrx.data.grid import GridDataset
from lrx.data.official.checksums import OfficialFile, Release
from lrx.data.official.official_file import official_file
from lrx.data.render.mpi3d import FACTORS, RENDERER, TABLE_DTYPE, TABLE_SHAPE, ArmPixels, render_tables
from lrx.data.store import npz
from lrx.data.store.cache import Origin, Progress, Recipe, open_or_convert
from lrx.data.store.mapped_npz import open_in_place
from lrx.data.store.pixels import MappedPixels

NAME = "mpi3d"
PAGE = "https://github.com/rr-learning/disentanglement_dataset"
SIDE = 64
COMPLEX_FACTORS = FactorSpace(FACTORS.names, (4, 4, 2, 3, 3, 40, 40))


@dataclass(frozen=True)
class Variant:
    """Variant of MPI3D: its file, the checksum of its first release (None where none is published), its grid."""

    file: str
    release: Release | None
    factors: FactorSpace = FACTORS


VARIANTS = {
    "toy": Variant("mpi3d_toy.npz", Release("md5", "55889cb7c7dfc655d6e0277beee88868")),
    "realistic": Variant("mpi3d_realistic.npz", Release("md5", "59a6225b88b635365f70c91b3e52f70f")),
    "real": Variant("mpi3d_real.npz", Release("md5", "0f33f609918fb5c97996692f91129802")),
    "complex": Variant("real3d_complicated_shapes_ordered.npz", None, COMPLEX_FACTORS),
}
RENDERED = "toy"


def mpi3d(
    *,
    root: str,
    variant: str,
    source: str,
    progress: Progress | None = None,
) -> GridDataset:
    """Return images (3, 64, 64) over object color, shape and size, camera height, background color and two axes.

    root: the folder with the official file (`root/mpi3d` is looked through too). Images are read where they lie in
        the file, which is hashed once, when it is first opened; only a compressed file is converted, beside it.
        Of rendered images the tables that they are composed from are kept in `root/rendered`.
    variant: "toy" (simply simulated), "realistic" (realistically simulated), "real" (photographed) or "complex"
        (photographed, with everyday objects).
    source: "auto" takes the official file if there is one and renders otherwise, "file" insists, "rendered" renders;
        only the toy is rendered.
    progress: called with (done, in all) of the images hashed or converted, or of the tables rendered.
    ValueError for another variant or a file that is not what it should be, FileNotFoundError where one is
    needed and there is none, OSError where a conversion or rendering cannot be written.
    """
    file = _official_file(root, variant, source)
    stem = expand_user(root) / "rendered" / f"{NAME}_{RENDERED}"
    factors = _variant(variant).factors
    return from_file(file, variant, factors, progress) if file else _render(stem, progress)


def official(*, variant: str, addresses: Mapping[str, str] | None = None) -> list[OfficialFile]:
    """Return the official file to have for this variant. addresses: where files are fetched from, by file name."""
    chosen = _variant(variant)
    address = (addresses or {}).get(chosen.file)
    rendered = variant == RENDERED
    return [OfficialFile(name=chosen.file, page=PAGE, release=chosen.release, address=address, rendered=rendered)]


def from_file(path: Path, variant: str, factors: FactorSpace, progress: Progress | None = None) -> GridDataset:
    """Return the data set in an official file over this grid."""
    name, shape = f"{NAME}_{variant}", (factors.num_points, SIDE, SIDE, 3)
    stored = npz.find_stored(path, "images", shape=shape, dtype="uint8")
    recipe = Recipe(name, shape, "uint8", factors, Origin(file=path, release=_variant(variant).release))
    if stored is not None:
        cache = open_in_place(path, recipe, stored, progress=progress)
    else:
        cache = open_or_convert(path, recipe, lambda: _images(path, shape), progress=progress)
    pixels = MappedPixels(cache.pixels, shape=shape, offset=cache.offset)
    return GridDataset(name=name, source=cache.source, fingerprint=cache.fingerprint, factors=factors, pixels=pixels)


def _images(path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    return npz.read_rows(path, "images", shape=shape, dtype="uint8", num_rows=1 << 12)


def _render(stem: Path, progress: Progress | None) -> GridDataset:
    recipe = Recipe(f"{NAME}_{RENDERED}", TABLE_SHAPE, TABLE_DTYPE, FACTORS, Origin(renderer=RENDERER))
    cache = open_or_convert(stem, recipe, lambda: render_tables(progress))
    table = np.memmap(cache.pixels, dtype=TABLE_DTYPE, mode="r", shape=TABLE_SHAPE)
    return GridDataset(
        name=recipe.name, source=cache.source, fingerprint=cache.fingerprint, factors=FACTORS, pixels=ArmPixels(table)
    )


def _variant(name: str) -> Variant:
    check_choice("variant", name, tuple(VARIANTS))
    return VARIANTS[name]


def _official_file(root: str, variant: str, source: str) -> Path | None:
    """Return the official file of this variant, or None to render the toy, the only variant that is rendered."""
    name = _variant(variant).file
    if variant == RENDERED:
        return official_file(name=NAME, root=root, source=source, file_names=(name,))
    if source == "rendered":
        raise SettingError(
            f"source=rendered: {NAME} {variant} is not rendered, {RENDERED} is; take dataset.variant={RENDERED}, or "
            f"dataset.source=file with {name} in dataset.root"
        )
    file = official_file(name=NAME, root=root, source="auto" if source == "file" else source, file_names=(name,))
    if file is None:
        raise FileNotFoundError(
            f"no official file of {NAME} {variant}: looked for {name} in {root} and {expand_user(root) / NAME}; it "
            "comes "
            f"from {PAGE}; name its folder by dataset.root=... or LRX_DATA, or take dataset.variant={RENDERED}, "
            "which is rendered"
        )
    return file
