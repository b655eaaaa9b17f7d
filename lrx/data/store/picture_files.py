"""Picture files of a folder and its sub-folders: which are read, and which are left out and why."""

from __future__ import annotations

import importlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from lrx.core.text import count_of, join_names

FORMATS = {
    **dict.fromkeys((".png", ".apng"), "PNG"),
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "PPM"),
    **{".bmp": "BMP", ".webp": "WEBP", ".gif": "GIF", ".avif": "AVIF", ".heic": "HEIF", ".heif": "HEIF"},
}
PLUGINS = {"AVIF": ("pillow_avif", ""), "HEIF": ("pillow_heif", "register_heif_opener")}  # module, and what to call


@dataclass(frozen=True)
class File:
    """Listed image file: path below the folder, and size and modification time, which tell whether it has changed."""

    name: str
    num_bytes: int
    mtime_ns: int


@dataclass
class Listing:
    """Image files by name, and what is not among them.

    endings: of files of other kinds. hidden: images. links: linked folders. empty: folders of the first level that have
    no image.
    """

    files: list[File] = field(default_factory=list)
    endings: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    links: int = 0
    empty: list[str] = field(default_factory=list)

    @property
    def left_out(self) -> list[str]:
        """Words on what is left out and why."""
        known = [ending for ending in self.endings if ending in FORMATS]
        others = [f"{count} {ending or 'without an ending'}" for ending, count in sorted(self.endings.items())]
        counts = [
            (sum(self.endings.values()), "file", f" of another kind ({join_names(others)})"),
            (self.hidden, "hidden image", ""),
            (self.links, "linked folder", ""),
            (len(self.empty), "folder", f" without images ({join_names(self.empty)})"),
        ]
        words = [f"{count_of(count, noun)}{more}" for count, noun, more in counts if count]
        if words:
            words = [f"left out {', '.join(words)}"]
        modules = sorted({PLUGINS[FORMATS[ending]][0].replace("_", "-") for ending in known})
        remedy = f"{join_names(known)} can be read after pip install {' '.join(modules)}"
        return [*words, remedy] if known else words


def readable_endings() -> dict[str, str]:
    """Return the endings of pictures that Pillow reads here, with their format: plugins are used where installed."""
    Image.init()
    for name, (module, function) in PLUGINS.items():
        if name not in Image.OPEN:
            try:
                plugin = importlib.import_module(module)
            except ImportError:
                continue
            if function:
                getattr(plugin, function)()
    return {ending: name for ending, name in FORMATS.items() if name in Image.OPEN}


def list_pictures(directory: Path) -> Listing:
    """List the pictures of a folder by their endings, sorted by name. ValueError without any, OSError as os.walk."""
    if directory.is_file():
        raise ValueError(
            f"{directory} is a file, and dataset=folder reads a folder of images; an array in an npz, npy or HDF5 "
            f"file is dataset=arrays dataset.path={directory}"
        )
    if not directory.is_dir():
        raise FileNotFoundError(f"there is no folder {directory}; name your images by dataset.path=...")
    listing, endings = Listing(), tuple(readable_endings())
    for parent, folders, names in os.walk(directory, onerror=_refuse):
        listing.links += sum((Path(parent) / name).is_symlink() for name in folders if not name.startswith("."))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file, is_picture = Path(parent) / name, name.lower().endswith(endings)
            if name.startswith("."):
                listing.hidden += is_picture
            elif not is_picture:
                listing.endings[file.suffix.lower()] += 1
            else:
                listing.files.append(_file(file, directory))
    if not listing.files:
        raise ValueError(
            f"there are no images in {directory}; they are known by their endings {', '.join(endings)}"
            + (f"; {'; '.join(listing.left_out)}" if listing.left_out else "")
        )
    listing.files.sort(key=lambda file: file.name.split("/"))
    used = {file.name.split("/")[0] for file in listing.files}
    tops = (entry for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False))
    listing.empty = natural_order(entry.name for entry in tops if entry.name[0] != "." and entry.name not in used)
    return listing


def natural_order(names: Iterable[str]) -> list[str]:
    """Sort names with numbers by their value.

    >>> natural_order(["10", "2", "b1", "a"])
    ['2', '10', 'a', 'b1']
    """

    def key(name: str) -> tuple[list[str | int], str]:
        parts = re.split(r"([0-9]+)", name)  # text and digits in turn
        return [int(part) if place % 2 else part for place, part in enumerate(parts)], name

    return sorted(names, key=key)


def _file(file: Path, directory: Path) -> File:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{file} is no regular file; remove it (a pipe would block whoever reads it)")
    return File(file.relative_to(directory).as_posix(), status.st_size, status.st_mtime_ns)


def _refuse(error: OSError) -> None:
    raise error  # os.walk would pass over a folder that cannot be listed
