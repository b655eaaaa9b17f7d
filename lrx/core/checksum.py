"""SHA-256 of texts, bytes and files, in hexadecimal digits."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lrx.core.paths import named_errors


def sha256(content: str | bytes) -> str:
    """Return the SHA-256 of bytes, or of a text in UTF-8.

    >>> sha256("lrx")[:8]
    '41f29aef'
    """
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces. OSError when it cannot be read."""
    with named_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
