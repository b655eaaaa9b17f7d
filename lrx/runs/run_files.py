"""Config and status of run folders in trees that may come from anywhere.

Links to files that leave the tree, files of another kind (a pipe blocks its reader) and over-long texts are refused by
name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lrx.core.config_text import LARGEST, flatten
from lrx.runs import run_folder, status
from lrx.runs.status import UNKNOWN


def check_file(path: Path | str, top: Path, *, largest: int | None = None) -> None:
    """Raise ValueError for a link out of the tree, what is no plain file, or one of more bytes than `largest`."""
    name = os.path.basename(path)
    try:
        about = os.lstat(path)
        if stat.S_ISLNK(about.st_mode):
            if not Path(path).resolve().is_relative_to(top.resolve()):
                raise ValueError(f"{name} is a link that leads out of {top}; it is not followed")
            about = os.stat(path)
    except OSError as error:
        raise ValueError(f"{name}: {(error.strerror or str(error)).lower()}") from error
    if not stat.S_ISREG(about.st_mode):
        raise ValueError(f"{name} is no plain file")
    if largest is not None and about.st_size > largest:
        raise ValueError(f"{name} has {about.st_size:,} bytes; a run's has at most {largest:,}")


def read_config(folder: Path, top: Path) -> dict[str, object]:
    """Return the keys and values of a run folder's config, lists as one value. ValueError in one line."""
    path = folder / run_folder.FILENAME
    check_file(path, top, largest=LARGEST)
    try:
        return flatten(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is damaged ({error})") from error
    except ValueError as error:
        raise ValueError(f"{path.name} {error}") from error


def read_status(folder: Path, top: Path) -> tuple[status.Status, str]:
    """Return the status of a run folder, and why it is UNKNOWN where it is."""
    path = os.path.join(folder, status.FILENAME)  # pathlib's joint takes as long as the file
    try:
        check_file(path, top, largest=LARGEST)
    except ValueError as error:
        return status.Status(UNKNOWN), str(error) if os.path.lexists(path) else f"there is no {status.FILENAME}"
    state = status.read(folder)
    return (status.Status(UNKNOWN), f"{status.FILENAME} is not one of lrx") if state is None else (state, "")
