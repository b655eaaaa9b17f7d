"""Paths as a person types them, and the names of files that commands look for in each other's folders."""

from __future__ import annotations

import os
from pathlib import Path

CHECKPOINT = "checkpoint.pt"  # of a run folder
PART = "part.npz"  # of the folder of one shard


def expand_user(path: str | Path) -> Path:
    """A path whose leading `~` or `~name` has become a home folder; ValueError for a name that no user here has."""
    found = Path(os.path.expanduser(path))  # which, unlike pathlib, leaves an unknown name as it is
    user = found.parts[0] if found.parts else ""
    if user.startswith("~"):
        raise ValueError(f"{path}: there is no home folder {user} here; a plain name that begins so is ./{path}")
    return found
