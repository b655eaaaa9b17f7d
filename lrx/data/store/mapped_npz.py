"""Pixels that lie uncompressed in an official npz: mapped where they are, and hashed once.

Beside the file is a manifest like a cache's, `<file>.json`, with what the first opening found out.
"""

from __future__ import annotations

import hashlib
import warnings
import zlib
from pathlib import Path

from lrx.data.store.cache import (
    Cache,
    Manifest,
    Progress,
    Recipe,
    check_unchanged,
    provenance,
    read_manifest,
    write_manifest,
)
from lrx.data.store.npz import Stored


def open_in_place(path: Path, recipe: Recipe, stored: Stored, *, progress: Progress | None = None) -> Cache:
    """Return the pixels of `recipe` in an official file, read whole unless its manifest is of this very file.

    progress: called with (rows done, rows in all) while the file is read.
    ValueError when the array is not what the CRC-32 in the npz says. A manifest that cannot be written is a warning.
    """
    manifest = recipe.manifest() | {"pixels": path.name, "offset": stored.offset}
    complete = read_manifest(path)
    if not complete.items() >= manifest.items():
        complete = manifest | _hash_file(path, recipe, stored, progress)
        check_unchanged(recipe, manifest)
        try:
            write_manifest(path, complete)
        except OSError as error:
            warnings.warn(f"{error}; {path.name} will be read whole at every opening", stacklevel=2)
    return Cache(path, str(complete["source"]), str(complete["fingerprint"]), stored.offset)


def _hash_file(path: Path, recipe: Recipe, stored: Stored, progress: Progress | None) -> Manifest:
    """Return the source and the fingerprint, from a single reading of the file."""
    content, crc, read = hashlib.sha256(), stored.header_crc, 0

    def watch(chunk: bytes) -> None:
        nonlocal crc, read
        begin = stored.offset - read
        pixels = memoryview(chunk)[max(0, begin) : max(0, begin + recipe.num_bytes)]
        content.update(pixels)
        crc = zlib.crc32(pixels, crc)
        read += len(chunk)
        if progress is not None:
            done = min(max(0, read - stored.offset), recipe.num_bytes)
            progress(done * recipe.shape[0] // recipe.num_bytes, recipe.shape[0])

    origin = provenance(recipe.origin, watch)
    if crc != stored.crc:
        raise ValueError(f"{path} is damaged: its array has the CRC-32 {crc:08x}, not {stored.crc:08x}: fetch it again")
    return origin | {"fingerprint": content.hexdigest()}
