"""Published files: whether the file at hand is the one that was released."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20


@dataclass(frozen=True)
class Release:
    """The checksum that a file was published with: algorithm "md5" or "sha256", and hex digest."""

    algorithm: str
    digest: str

    def check(self, path: Path) -> tuple[bool, str]:
        """Whether `path` has the published checksum, and its SHA-256.

        Another checksum is a warning, not an error: later mirrors of the same images exist, and the structure of the
        file is checked all the same.
        """
        published, sha256 = hashlib.new(self.algorithm), hashlib.sha256()
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                published.update(chunk)
                sha256.update(chunk)
        matches = published.hexdigest() == self.digest
        if not matches:
            warnings.warn(
                f"{path} is not the file that was published: its {self.algorithm} is {published.hexdigest()}, "
                f"not {self.digest}; its structure is checked all the same",
                stacklevel=2,
            )
        return matches, sha256.hexdigest()
