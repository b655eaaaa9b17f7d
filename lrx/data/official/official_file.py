"""Source of a data set: an official file under the root, or the renderer."""

from __future__ import annotations

from pathlib import Path

from lrx.core.paths import expand_user
from lrx.core.validation import check_choice

SOURCES = ("auto", "file", "rendered")


def official_file(*, name: str, root: str, source: str, file_names: tuple[str, ...]) -> Path | None:
    """Return the official file to read, or None to render.

    name: of the data set; its files are looked for in `root` and in `root/name`, in the order of `file_names`.
    source: "auto" takes the file if there is one, "file" insists on it, "rendered" never looks.
    ValueError for another source; FileNotFoundError when a file is asked for and there is none.
    """
    check_choice("source", source, SOURCES)
    if source == "rendered":
        return None
    folders = (expand_user(root), expand_user(root) / name)
    for file_name in file_names:
        for folder in folders:
            if (folder / file_name).is_file():
                return folder / file_name
    if source == "auto":
        return None
    raise FileNotFoundError(
        f"no official file of {name}: looked for {' or '.join(file_names)} in {' and '.join(map(str, folders))}; "
        "name the folder by dataset.root=... or LRX_DATA, or take dataset.source=rendered"
    )


def find_official(*, name: str, root: str, file_names: tuple[str, ...], page: str) -> Path:
    """Return the first of these files or folders in `root` or `root/name`; FileNotFoundError says where to get it."""
    folders = (expand_user(root), expand_user(root) / name)
    for path in (folder / file_name for file_name in file_names for folder in folders):
        if path.exists():
            return path
    raise FileNotFoundError(
        f"no official file of {name}: looked for {' or '.join(file_names)} in {' and '.join(map(str, folders))}; get "
        f"it from {page} and name the folder by dataset.root=... or LRX_DATA"
    )
