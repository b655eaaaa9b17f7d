"""Published files: what they are called, where they come from, and whether the file at hand is the one released."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20
Watch = Callable[[bytes], None]


@dataclass(frozen=True)
class Release:
    """Published checksum of a file: algorithm "md5" or "sha256", and hex digest."""

    algorithm: str
    digest: str

    def check(self, path: Path, *, watch: Watch | None = None) -> tuple[bool, str]:
        """Return whether `path` has the published checksum, and its SHA-256; `watch` as in `digests`.

        Another checksum is a warning, not an error: later mirrors of the same images exist, and the structure of the
        file is checked all the same.
        """
        published, sha256 = digests(path, (self.algorithm, "sha256"), watch=watch)
        matches = published == self.digest
        if not matches:
            warnings.warn(
                f"{path} is not the file that was published: its {self.algorithm} is {published}, "
                f"not {self.digest}; its structure is checked all the same",
                stacklevel=2,
            )
        return matches, sha256


@dataclass(frozen=True)
class OfficialFile:
    """Published file that a data set is read from.

    name: of the file. page: of the project that publishes it. release: its checksum, None where none is published.
    num_bytes: its size, None where none is published. address: to fetch it from, None where there is none.
    rendered: whether lrx can render its images.
    """

    name: str
    page: str
    release: Release | None = None
    num_bytes: int | None = None
    address: str | None = None
    rendered: bool = False


def digests(path: Path, algorithms: tuple[str, ...], *, watch: Watch | None = None) -> list[str]:
    """Return the hex digests of a file by these algorithms of hashlib, from a single reading.

    watch: given the bytes of the file in order, in pieces, as they are read.
    """
    contents = [hashlib.new(algorithm) for algorithm in algorithms]
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            for content in contents:
                content.update(chunk)
            if watch is not None:
                watch(chunk)
    return [content.hexdigest() for content in contents]
