"""Paths as a person types them, and the names of files that commands read from each other's folders."""

from __future__ import annotations

import os
from pathlib import Path

CHECKPOINT = "checkpoint.pt"  # of a run folder
PART = "part.npz"  # of the folder of one shard


def expand_user(path: str | Path) -> Path:
    """Replace a leading `~` or `~name` by a home folder. ValueError for a name that no user here has."""
    expanded = Path(os.path.expanduser(path))  # unlike pathlib's, it leaves an unknown name as it is
    user = expanded.parts[0] if expanded.parts else ""
    if user.startswith("~"):
        raise ValueError(f"{path}: there is no home folder {user} here; a plain name that begins so is ./{path}")
    return expanded
