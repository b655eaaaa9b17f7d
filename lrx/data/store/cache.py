"""A cache of pixels: converted once, streaming, then opened by memory map.

Two files: `<stem>.json`, the manifest, and the raw bytes that it names, `<stem>.<fingerprint>.pixels`. The manifest is
written last and names its pixels by their content, so that whoever reads a manifest finds the pixels it speaks of. One
process at a time converts under a stem, for it removes the pixels of the recipe before.
"""

from __future__ import annotations

import glob
import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrx.core.factors import FactorSpace
from lrx.data.official.checksums import Release, Watch, digests
from lrx.storage.atomic import atomic_file, commit, write
from lrx.storage.lock import exclusive_lock

FORMAT = 1
DIGITS = 16  # of the fingerprint, in the name of the pixels
FOUND = ("pixels", "source", "fingerprint")  # what every manifest says besides its recipe, as text
Progress = Callable[[int, int], None]
Manifest = dict[str, str | int | list[int] | list[str]]


@dataclass(frozen=True)
class Origin:
    """Where pixels come from: a file with the checksum it was published with, if any, or a renderer with its version.

    details: what else makes the pixels what they are, in plain words, such as a crop; alone of unpublished images.
    """

    file: Path | None = None
    release: Release | None = None
    renderer: str = ""
    details: str = ""

    def identity(self) -> Manifest:
        """What tells a replaced file or a changed renderer from the one that a cache was made from."""
        details: Manifest = {"details": self.details} if self.details else {}
        if self.file is None:
            return details | ({"renderer": self.renderer} if self.renderer else {})
        status = self.file.stat()
        return details | {"file": self.file.name, "file_size": status.st_size, "file_mtime_ns": status.st_mtime_ns}


@dataclass(frozen=True)
class Recipe:
    """What a cache holds; a cache of another recipe is made again.

    shape: of the array of `dtype` that the file of pixels holds, in C order.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    factors: FactorSpace
    origin: Origin

    @property
    def num_bytes(self) -> int:
        """The size of the pixels on disk."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def manifest(self) -> Manifest:
        """What the manifest must say, besides source, fingerprint and the file of pixels."""
        return {
            "format": FORMAT,
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "factor_names": list(self.factors.names),
            "factor_sizes": list(self.factors.sizes),
            **self.origin.identity(),
        }


@dataclass(frozen=True)
class Cache:
    """Pixels that are ready to map: their file, their source in plain words, and the SHA-256 of their bytes.

    offset: of their first byte in the file. notes: what the conversion found out, see `open_or_convert`.
    """

    pixels: Path
    source: str
    fingerprint: str
    offset: int = 0
    notes: tuple[str, ...] = ()


def open_or_convert(
    stem: Path,
    recipe: Recipe,
    blocks: Callable[[], Iterable[np.ndarray]],
    *,
    progress: Progress | None = None,
    notes: list[str] | None = None,
) -> Cache:
    """The cache of `recipe` under `<stem>.json`, made from `blocks()` unless it is there and whole.

    blocks: gives the array in order, in pieces along its first axis; called for a conversion alone.
    progress: told (rows done, rows in all) after each piece.
    notes: a list that `blocks()` adds to as it goes; it is kept in the manifest and given back at every opening.
    Another process that makes a cache under this stem is waited for.
    ValueError when the pieces do not add up to the shape; OSError in one line when the cache cannot be written.
    """
    if found := _opened(stem, recipe):
        return found
    with exclusive_lock(stem, num_bytes=recipe.num_bytes):  # another process may have made this cache meanwhile
        return _opened(stem, recipe) or _converted(stem, recipe, blocks(), progress, notes)


def _manifest_path(stem: Path) -> Path:
    return stem.with_name(stem.name + ".json")


def read_manifest(stem: Path) -> Manifest:
    """The manifest as it lies there; an empty one when there is none, or it is broken."""
    manifest = _manifest_path(stem)
    try:
        found = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    except (ValueError, RecursionError):  # not JSON, or not even text
        return {}
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in FOUND):
        return {}
    return found


def write_manifest(stem: Path, manifest: Manifest) -> None:
    """Write `<stem>.json`, whole or not at all; OSError in one line when it cannot be written."""
    write(_manifest_path(stem), json.dumps(manifest, indent=2).encode())


def _opened(stem: Path, recipe: Recipe) -> Cache | None:
    """The cache as it lies there, or None when there is none, or it is stale or truncated."""
    found = read_manifest(stem)
    if not found.items() >= recipe.manifest().items():
        return None
    pixels = stem.parent / Path(str(found["pixels"])).name  # beside the manifest, whatever a hostile one says
    if not pixels.is_file() or pixels.stat().st_size != recipe.num_bytes:
        return None
    notes = found.get("notes")
    told = tuple(map(str, notes)) if isinstance(notes, list) else ()
    return Cache(pixels, str(found["source"]), str(found["fingerprint"]), notes=told)


def _converted(
    stem: Path, recipe: Recipe, blocks: Iterable[np.ndarray], progress: Progress | None, notes: list[str] | None
) -> Cache:
    manifest = recipe.manifest()
    manifest |= provenance(recipe.origin)
    content = hashlib.sha256()
    with atomic_file(stem, num_bytes=recipe.num_bytes) as (file, temporary):
        rows = 0
        for block in blocks:
            assert block.dtype == np.dtype(recipe.dtype), (block.dtype, recipe.dtype)
            assert block.shape[1:] == recipe.shape[1:], (block.shape, recipe.shape)
            data = np.ascontiguousarray(block).data
            file.write(data)
            content.update(data)
            rows += len(block)
            del block, data  # before the next piece is read, so that there is one in memory, not two
            if progress is not None:
                progress(rows, recipe.shape[0])
        if rows != recipe.shape[0]:
            raise ValueError(f"{recipe.name} came as {rows} images, not {recipe.shape[0]}")
        check_unchanged(recipe, manifest)
    fingerprint = content.hexdigest()
    pixels = stem.with_name(f"{stem.name}.{fingerprint[:DIGITS]}.pixels")
    commit(temporary, pixels)
    manifest |= {"fingerprint": fingerprint, "pixels": pixels.name}
    if notes:
        manifest["notes"] = notes
    write_manifest(stem, manifest)
    for former in stem.parent.glob(f"{glob.escape(stem.name)}.{'[0-9a-f]' * DIGITS}.pixels"):
        if former != pixels:
            former.unlink(missing_ok=True)
    return Cache(pixels, str(manifest["source"]), fingerprint, notes=tuple(notes or ()))


def check_unchanged(recipe: Recipe, manifest: Manifest) -> None:
    """ValueError when the file is no longer the one that the manifest was begun with."""
    if not manifest.items() >= recipe.origin.identity().items():
        raise ValueError(f"{recipe.origin.file} changed while it was read: try again")


def provenance(origin: Origin, watch: Watch | None = None) -> Manifest:
    """The source in plain words and, of a file, its SHA-256; `watch` is given the bytes of the file."""
    if origin.file is None:
        return {"source": "rendered" if origin.renderer else origin.details}
    if origin.release is None:
        (sha256,) = digests(origin.file, ("sha256",), watch=watch)
        doubt = ", no checksum published"
    else:
        matches, sha256 = origin.release.check(origin.file, watch=watch)
        doubt = "" if matches else ", checksum not the published one"
    details = f", {origin.details}" if origin.details else ""
    return {"source": f"official file {origin.file.name}{doubt}{details}", "file_sha256": sha256}
