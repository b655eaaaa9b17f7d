"""Members of HDF5 files that may come from anywhere: no links out of the file, and axes without h5py's own reader."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import h5py
from h5py import h5d, h5g, h5i, h5l, h5o

from lrx.storage.array_attributes import plain


def why_unreadable(path: Path, kind: str, error: BaseException) -> str:
    """Return why a file could not be read in a line: what the system refused, else that it is no `kind`."""
    if isinstance(error, BlockingIOError):
        return f"{path} is locked: another process has it open for writing; close it there, or read a copy"
    if isinstance(error, OSError) and error.errno:
        return f"{path} cannot be opened: {os.strerror(error.errno).lower()}"
    return f"{path} is not a {kind}: {error}"


class Link(NamedTuple):
    """Link of a group: its kind (h5l.TYPE_HARD, ...), and where the header of its member is.

    address: from the start of HDF5's part of the file; None for a link that leads elsewhere, or where it was not asked.
    """

    name: bytes
    kind: int
    address: int | None

    def open(self, group: h5g.GroupID) -> h5g.GroupID | h5d.DatasetID:
        """Open the member. ValueError for links, virtual and external storage, which lead out of the file."""
        if self.kind == h5l.TYPE_HARD:
            member = h5o.open(group, self.name)
            if not isinstance(member, h5d.DatasetID) or member.get_offset() is not None:
                return member  # numbers of a data set that lie in this file in one piece
            storage = member.get_create_plist()
            if storage.get_layout() != h5d.VIRTUAL and not storage.get_external_count():
                return member
        where = (h5i.get_name(group) or b"").decode().rstrip("/")
        raise ValueError(f"{where}/{self.name.decode()} leads elsewhere; lrx does not follow it")


def open_member(group: h5g.GroupID, name: bytes) -> h5g.GroupID | h5d.DatasetID:
    """Open a member of a group. ValueError as `Link.open`."""
    return Link(name, group.links.get_info(name).type, None).open(group)


def links(group: h5g.GroupID) -> list[Link]:
    """List the links of a group in its order, all at once, which is ten times faster than one by one."""
    by_name: dict[bytes, Link] = {}

    def add(name: bytes, link: h5l.LinkInfo) -> None:
        by_name[name] = Link(name, link.type, link.u if link.type == h5l.TYPE_HARD else None)

    group.links.iterate(add, info=True)
    return [by_name[name] for name in group]


def is_scale(stored: h5py.Dataset) -> bool:
    """Return whether a data set has the labels of an axis; h5py's own `is_scale` may crash on foreign attributes."""
    return plain(stored.attrs.get("CLASS")) == "DIMENSION_SCALE"


def axes(file: h5py.File, array: h5py.Dataset) -> tuple[str, ...] | None:
    """Return the names of an array's axes; None where none are attached, or those of another group, as lrx never does.

    ValueError for damaged ones. h5py's `dims` is not used, as HDF5 crashes on foreign attributes.
    """
    if array.ndim and "DIMENSION_LIST" not in array.attrs:
        return None
    scales = [places[0] for places in array.attrs["DIMENSION_LIST"]] if array.ndim else []
    if len(scales) != array.ndim or not all(isinstance(scale, h5py.Reference) for scale in scales):
        raise ValueError(f"{array.name} does not say what its axes are")
    above, names = PurePosixPath(array.name).parent, [PurePosixPath(file[scale].name) for scale in scales]
    return tuple(name.name for name in names) if {name.parent for name in names} <= {above} else None
