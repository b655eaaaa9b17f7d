"""Variables of an HDF5 group over one dimension, such as `run`, with names that every netCDF tool takes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import h5py
import numpy as np

from lrx.core.text import one_line
from lrx.storage import results
from lrx.storage.array_attributes import array_attributes


class Variables:
    """Group whose variables share their first dimension."""

    def __init__(self, group: h5py.Group, dimension: str, labels: Sequence[str], *, taken: set[str]) -> None:
        """Make the dimension; taken: names that no variable may get."""
        self._group, self._dimension, self._taken = group, dimension, taken | {dimension}
        results.create(group, dimension, np.array(labels)).make_scale(dimension)

    def put(self, name: str, values: np.ndarray, long_name: str) -> str:
        """Write a variable whose first axis is the dimension; return its name in the file."""
        unique = free_name(name, self._taken)
        self._taken.add(unique)
        stored = results.create(self._group, unique, values)
        stored.attrs["long_name"] = one_line(long_name)
        stored.dims[0].attach_scale(self._group[self._dimension])
        return unique

    def put_array(
        self, name: str, values: np.ndarray, long_name: str, *, unit: str, axes: Sequence[tuple[str, np.ndarray]]
    ) -> str:
        """Write an array whose further axes have these names and labels; return its name in the file."""
        unique = self.put(name, values, long_name)
        self._group[unique].attrs.update(array_attributes(one_line(unit), one_line(long_name)))
        for position, (axis, along) in enumerate(axes, start=1):
            if axis not in self._group:
                results.create(self._group, axis, along).make_scale(axis)
            self._group[unique].dims[position].attach_scale(self._group[axis])
        return unique


def free_name(wanted: str, taken: set[str]) -> str:
    """Return a name that every netCDF tool takes (letters, digits and underscores), and that is not taken."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", wanted)
    plain = plain if re.match(r"[A-Za-z]", plain) else f"x{plain}"
    number, name = 1, plain
    while name in taken:
        number += 1
        name = f"{plain}_{number}"
    return name
