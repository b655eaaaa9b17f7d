"""A pickle that leaves a trace when somebody loads it."""

from __future__ import annotations

import os
from pathlib import Path


class Payload:
    """Unpickling an instance makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)
