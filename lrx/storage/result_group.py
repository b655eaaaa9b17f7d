"""Group of an HDF5 file as an AssayResult, though other tools may have rewritten the file or added to it.

netCDF libraries store attributes as arrays of one value, and add their own. What lrx did not write is passed over by
name: groups without provenance, arrays without unit, description or labelled axes, types, and values that are neither
numbers nor text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5t

from lrx.storage.array_attributes import ARRAY_ATTRIBUTES, plain, unit_and_description
from lrx.storage.hdf5_members import axes, is_scale, open_member

if TYPE_CHECKING:
    from lrx.core.types import AssayResult  # imports torch, which reading scores does not need

Setting = str | int | float
DEFLATE = 1032  # the most that gzip packs into a byte (zlib's technical details)
WORDS: dict[str, bool | None] = {"null": None, "true": True, "false": False}
PROVENANCE = "provenance"
TEXT = h5t.py_create(h5py.string_dtype())  # in memory
OF_NETCDF = "_"  # the first letter of names that netCDF libraries reserve, such as _NCProperties


def read_result(group: h5py.Group) -> tuple[AssayResult, list[str]]:
    """Return the result that a group holds, and the names of what lrx did not write in it.

    ValueError for links, for data sets larger than their file, and for arrays whose labels are not there.
    """
    from lrx.core.types import Array, AssayResult

    arrays, coordinates, scores, foreign = {}, {}, {}, list[str]()
    for name in group:
        stored = child(group, name)
        if not isinstance(stored, h5py.Dataset):
            foreign.append(stored.name)
        elif is_scale(stored):
            coordinates[name] = _values(stored)
        elif stored.attrs.keys() >= ARRAY_ATTRIBUTES:
            attached = axes(group.file, stored)
            if attached is None:
                foreign.append(f"{stored.name} (without labels of its axes)")
            else:
                arrays[name] = Array(_values(stored), attached, *unit_and_description(stored.attrs))
        elif stored.ndim == 0 and stored.dtype.kind == "f":
            scores[name] = float(stored[()])
        else:
            foreign.append(stored.name)
    for name, array in arrays.items():
        missing = [axis for axis in array.axes if axis not in coordinates]
        if missing:
            raise ValueError(f"{group.name}/{name} has the axis {missing[0]}, and its labels are not there")
    settings, others = read_attributes(group)
    settings.pop(PROVENANCE, None)
    meanings = {key: WORDS.get(value, value) if isinstance(value, str) else value for key, value in settings.items()}
    return AssayResult(arrays=arrays, coordinates=coordinates, scores=scores, settings=meanings), foreign + others


def read_attributes(node: h5py.Group) -> tuple[dict[str, Setting], list[str]]:
    """Return the attributes that are text or numbers, without those of netCDF, and the names of others."""
    names = [key for key in node.attrs if not key.startswith(OF_NETCDF)]
    values = {key: read_attribute(node.id, key) for key in names}
    others = [f"attribute {key} of {node.name}" for key, value in values.items() if value is None]
    return {key: value for key, value in values.items() if value is not None}, others


def read_attribute(node: h5g.GroupID, key: str) -> Setting | None:
    """Return an attribute that is text or a number; None for others."""
    try:
        stored = h5a.open(node, key.encode())
        kind = stored.get_type()
        is_text = isinstance(kind, h5t.TypeStringID) and kind.is_variable_str()
        if stored.shape != () or not (is_text or isinstance(kind, h5t.TypeIntegerID | h5t.TypeFloatID)):
            return plain(h5py.AttributeManager(h5py.Group(node))[key])
        value = np.empty((), object if is_text else kind.dtype)  # as h5py does it, in a third of the time
        stored.read(value, TEXT if is_text else None)
        return plain(value)
    except (OSError, TypeError, ValueError):  # of a type that h5py does not have
        return None


def child(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | h5py.Datatype:
    """Open a member that lies in this file, and can: ValueError for one that claims more bytes than fit into it."""
    member = open_member(group.id, name.encode())
    if not isinstance(member, h5d.DatasetID):
        return h5py.Group(member) if isinstance(member, h5g.GroupID) else h5py.Datatype(member)
    stored = h5py.Dataset(member)
    if stored.nbytes > DEFLATE * group.file.id.get_filesize():
        raise ValueError(f"{stored.name} announces {stored.nbytes:,} bytes, more than a file of this size can hold")
    return stored


def _values(stored: h5py.Dataset) -> np.ndarray:
    text = h5py.check_string_dtype(stored.dtype) is not None
    return np.asarray(stored.asstr()[()] if text else stored[()], dtype=np.str_ if text else None)
