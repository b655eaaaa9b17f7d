"""Classes that come with observations of one's own: a full grid of factors where they fill one, otherwise labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lrx.core.data_identity import fingerprint_with_classes
from lrx.core.factors import FactorSpace
from lrx.core.text import join_names
from lrx.core.validation import SettingError
from lrx.data.grid import GridDataset
from lrx.data.labelled import LabelledDataset, PickedPixels, StoreDataset
from lrx.data.store.array_file import NPY, find_array
from lrx.data.store.pixels import PixelStore


@dataclass(frozen=True)
class Classes:
    """Classes int64 (N, F) of N observations, with the names and sizes of the F factors or labels."""

    factors: FactorSpace
    values_NF: np.ndarray


def read_classes(path: Path, key: str | None, names: Sequence[str] | None, *, num_rows: int) -> Classes | None:
    """Read the classes of `num_rows` observations from the array `key` of a file; None without a key.

    names: of the columns; None for the name of the array where it has one column, else factor_1, factor_2, ...
    ValueError as in `check_classes`, and for names without key.
    """
    if key is None:
        if names is not None:
            raise SettingError("factor_names names the columns of classes: set classes too")
        return None
    array = find_array(path, key)
    if array.kind == NPY:
        raise ValueError(f"{path} is an npy file, which holds one array and no {key!r}; put both into an npz")
    _check_form(array.shape, array.dtype, f"{path}: {key!r}", num_rows)
    values = np.concatenate(list(array.rows()))
    if names is None and values.size == num_rows:
        names = [key.rpartition("/")[2]]
    return check_classes(values, names, num_rows=num_rows, what=(f"{path}: ", repr(key)), setting="factor_names")


def check_classes(
    values: np.ndarray, names: Sequence[str] | None, *, num_rows: int, what: tuple[str, str], setting: str
) -> Classes:
    """Return the classes of an array of whole numbers (N, F) or (N,) with the names of its columns.

    names: None for factor_1, factor_2, ... what: the place and the name of the array, and setting: the name of `names`,
    for messages. ValueError for classes that are no whole numbers from 0, or another number of rows or names.
    """
    place, name = what
    _check_form(values.shape, values.dtype, place + name, num_rows)
    values_NF = values.astype(np.int64).reshape(num_rows, -1)
    if (values_NF < 0).any():
        row, factor = np.argwhere(values_NF < 0)[0]
        raise ValueError(f"{place}row {row} of {name} has the class {values_NF[row, factor]}; classes begin at 0")
    num_factors = values_NF.shape[1]
    if names is None:
        names = [f"factor_{factor + 1}" for factor in range(num_factors)]
    if isinstance(names, str) or len(names) != num_factors:
        raise SettingError(f"{setting} must be {num_factors} names, one a column of {name}, not {names!r}")
    sizes = (values_NF.max(axis=0) + 1).tolist()
    return Classes(FactorSpace(names=tuple(str(name) for name in names), sizes=tuple(sizes)), values_NF)


def _check_form(shape: tuple[int, ...], dtype: np.dtype, what: str, num_rows: int) -> None:
    given = f"{what} has shape {shape} and dtype {dtype}"
    if dtype.kind not in "iub":
        raise ValueError(f"{given}; classes are whole numbers, of an integer dtype")
    if len(shape) not in (1, 2) or 0 in shape or shape[0] != num_rows:
        raise ValueError(f"{given}; the classes of {num_rows} images have the shape ({num_rows}, factors)")


def with_classes(
    classes: Classes | None, *, name: str, source: str, fingerprint: str, pixels: PixelStore
) -> StoreDataset:
    """Return the data set of these observations: a grid if each combination of classes is there once, in any order.

    Classes of a grid that do not run from 0 without gaps are relabelled, which its `remark` says.
    fingerprint: of the observations.
    """
    if classes is None:
        return StoreDataset(name=name, source=source, fingerprint=fingerprint, pixels=pixels)
    grid = _as_grid(classes)
    if grid is None:
        return LabelledDataset(
            name=name,
            source=source,
            fingerprint=fingerprint,
            pixels=pixels,
            label_names=classes.factors.names,
            label_sizes=classes.factors.sizes,
            classes=classes.values_NF,
        )
    remark = _relabelled(classes, grid)
    source += f", {remark}" if remark else ""
    rows_N = np.argsort(grid.index_N)
    if not np.array_equal(rows_N, np.arange(len(pixels))):
        pixels = PickedPixels(pixels, rows_N)
        source, fingerprint = f"{source}, sorted by its classes", pixels.fingerprint(fingerprint)
    dataset = GridDataset(name=name, source=source, fingerprint=fingerprint, factors=grid.factors, pixels=pixels)
    dataset.fingerprint = fingerprint_with_classes(fingerprint, grid.factors.names, grid.factors.sizes)
    dataset.remark, dataset.class_names = remark, grid.class_names if remark else {}
    return dataset


@dataclass(frozen=True)
class _Grid:
    """Full grid that classes make. index_N: place of each row in it; values: classes of each factor, ascending."""

    factors: FactorSpace
    index_N: np.ndarray
    values: tuple[np.ndarray, ...]

    @property
    def class_names(self) -> dict[str, tuple[str, ...]]:
        """Classes as they were given, by factor."""
        return {name: tuple(map(str, values)) for name, values in zip(self.factors.names, self.values, strict=True)}


def _as_grid(classes: Classes) -> _Grid | None:
    """Return the grid whose points the rows are, each once; None where they are no full grid."""
    columns = [np.unique(column, return_inverse=True) for column in classes.values_NF.T]
    factors = FactorSpace(names=classes.factors.names, sizes=tuple(len(values) for values, _ in columns))
    if factors.num_points != len(classes.values_NF):
        return None
    index_N = factors.index(torch.from_numpy(np.stack([codes for _, codes in columns], axis=1))).numpy()
    if len(np.unique(index_N)) < len(index_N):
        return None
    return _Grid(factors, index_N, tuple(values for values, _ in columns))


def _relabelled(classes: Classes, grid: _Grid) -> str:
    """Return which factors had other classes than 0, 1, ..., and which; empty where none had."""
    given = [
        f"{name} {join_names(tuple(map(str, values)))}"
        for name, size, values in zip(classes.factors.names, classes.factors.sizes, grid.values, strict=True)
        if size != len(values)
    ]
    return f"classes relabelled to 0, 1, ...: {'; '.join(given)}" if given else ""
