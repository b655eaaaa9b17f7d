"""A cache of pixels: converted once, streaming, then opened by memory map.

Two files: `<stem>.json`, the manifest, and the raw bytes that it names, `<stem>.<fingerprint>.pixels`. The manifest is
written last and names its pixels by their content, so that whoever reads a manifest finds the pixels it speaks of, also
when two processes convert at once.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrx.atomic import put, written_beside
from lrx.data.release import Release
from lrx.factors import FactorSpace

FORMAT = 1
Progress = Callable[[int, int], None]
Manifest = dict[str, str | int | list[int] | list[str]]


@dataclass(frozen=True)
class Origin:
    """Where pixels come from: a file with the checksum it was published with, or a renderer with its version."""

    file: Path | None = None
    release: Release | None = None
    renderer: str = ""

    def identity(self) -> Manifest:
        """What tells a replaced file or a changed renderer from the one that a cache was made from."""
        if self.file is None:
            return {"renderer": self.renderer}
        status = self.file.stat()
        return {"file": self.file.name, "file_size": status.st_size, "file_mtime_ns": status.st_mtime_ns}


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
    """Pixels that are ready to map: their file, their source in plain words, and the SHA-256 of their bytes."""

    pixels: Path
    source: str
    fingerprint: str


def open_or_convert(
    stem: Path, recipe: Recipe, blocks: Callable[[], Iterable[np.ndarray]], *, progress: Progress | None = None
) -> Cache:
    """The cache of `recipe` under `<stem>.json`, made from `blocks()` unless it is there and whole.

    blocks: gives the array in order, in pieces along its first axis; called for a conversion alone.
    progress: told (rows done, rows in all) after each piece.
    ValueError when the pieces do not add up to the shape; OSError in one line when the cache cannot be written.
    """
    return _opened(stem, recipe) or _converted(stem, recipe, blocks(), progress)


def _manifest_path(stem: Path) -> Path:
    return stem.with_name(stem.name + ".json")


def _opened(stem: Path, recipe: Recipe) -> Cache | None:
    """The cache as it lies there, or None when there is none, or it is stale or truncated."""
    manifest = _manifest_path(stem)
    try:
        found = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    except ValueError:  # not JSON, or not even text
        return None
    if not isinstance(found, dict) or not found.items() >= recipe.manifest().items():
        return None
    pixels = stem.with_name(found["pixels"])
    if not pixels.is_file() or pixels.stat().st_size != recipe.num_bytes:
        return None
    return Cache(pixels, found["source"], found["fingerprint"])


def _converted(stem: Path, recipe: Recipe, blocks: Iterable[np.ndarray], progress: Progress | None) -> Cache:
    manifest = recipe.manifest()
    manifest |= _provenance(recipe.origin)
    content = hashlib.sha256()
    with written_beside(stem, num_bytes=recipe.num_bytes) as (file, temporary):
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
        if not manifest.items() >= recipe.origin.identity().items():
            raise ValueError(f"{recipe.origin.file} changed while it was read: try again")
    fingerprint = content.hexdigest()
    pixels = stem.with_name(f"{stem.name}.{fingerprint[:16]}.pixels")
    put(temporary, pixels)
    manifest |= {"fingerprint": fingerprint, "pixels": pixels.name}
    text = json.dumps(manifest, indent=2).encode()
    with written_beside(_manifest_path(stem), num_bytes=len(text)) as (file, temporary):
        file.write(text)
    put(temporary, _manifest_path(stem))
    for former in stem.parent.glob(f"{stem.name}.*.pixels"):
        if former != pixels:
            former.unlink(missing_ok=True)
    return Cache(pixels, str(manifest["source"]), fingerprint)


def _provenance(origin: Origin) -> Manifest:
    """The source in plain words and, of a file, its SHA-256."""
    if origin.file is None or origin.release is None:
        return {"source": "rendered"}
    matches, sha256 = origin.release.check(origin.file)
    doubt = "" if matches else ", checksum not the published one"
    return {"source": f"official file {origin.file.name}{doubt}", "file_sha256": sha256}
