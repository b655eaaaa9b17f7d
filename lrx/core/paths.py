"""Paths as a person types them, and the names of files that commands read from each other's folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
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


def why_no_file(path: Path, *, or_folder: bool = False) -> str:
    """Return why a path is no file: nothing is there, or what is there is a folder, a device, a pipe or a socket."""
    if path.is_dir():
        return "it is a folder, not a file"
    if path.exists():
        return "it is a device, a pipe or a socket, not a file"
    return "no such file or folder" if or_folder else "no such file"


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Give an OSError of the block this path where it names none, as when a read fails that began well."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
