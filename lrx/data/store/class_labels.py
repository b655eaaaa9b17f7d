"""Classes that come with observations of one's own: a full grid of factors where they fill one, otherwise labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lrx.core.factors import FactorSpace
from lrx.data.grid import GridDataset
from lrx.data.labelled import LabelledDataset, PickedPixels, StoreDataset
from lrx.data.store.array_file import NPY, find_array
from lrx.data.store.pixels import PixelStore


def read_classes(
    path: Path, key: str | None, names: Sequence[str] | None, *, num_rows: int
) -> tuple[FactorSpace, np.ndarray] | None:
    """Names and sizes of F factors, and the classes int64 (N, F) of `num_rows` observations; None without a key.

    names: of the columns; None for factor_1, factor_2, ... ValueError for classes that are no whole numbers from 0, for
    another number of rows or names, and for names without classes.
    """
    if key is None:
        if names is not None:
            raise ValueError("dataset.factor_names names the columns of dataset.classes: set that too")
        return None
    array = find_array(path, key)
    if array.kind == NPY:
        raise ValueError(f"{path} is an npy file, which holds one array and no {key!r}; put both into an npz")
    what = f"{path}: {key!r} has shape {array.shape} and dtype {array.dtype}"
    if array.dtype.kind not in "iub":
        raise ValueError(f"{what}; classes are whole numbers, of an integer dtype")
    if len(array.shape) > 2 or 0 in array.shape or array.shape[0] != num_rows:
        raise ValueError(f"{what}; the classes of {num_rows} images have the shape ({num_rows}, factors)")
    classes_NF = np.concatenate(list(array.rows())).astype(np.int64).reshape(num_rows, -1)
    if (classes_NF < 0).any():
        row, factor = np.argwhere(classes_NF < 0)[0]
        raise ValueError(f"{path}: row {row} of {key!r} has the class {classes_NF[row, factor]}; classes begin at 0")
    num_factors = classes_NF.shape[1]
    if names is None:
        names = [f"factor_{factor + 1}" for factor in range(num_factors)]
    if isinstance(names, str) or len(names) != num_factors:
        raise ValueError(f"dataset.factor_names must be {num_factors} names, one a column of {key!r}, not {names!r}")
    sizes = (classes_NF.max(axis=0) + 1).tolist()
    return FactorSpace(names=tuple(str(name) for name in names), sizes=tuple(sizes)), classes_NF


def with_classes(
    known: tuple[FactorSpace, np.ndarray] | None, *, name: str, source: str, fingerprint: str, pixels: PixelStore
) -> StoreDataset | GridDataset:
    """The data set of these observations: a grid if each combination of classes is there once, in any order."""
    if known is None:
        return StoreDataset(name=name, source=source, fingerprint=fingerprint, pixels=pixels)
    factors, classes_NF = known
    if factors.num_points == len(pixels):
        index_N = factors.index(torch.from_numpy(classes_NF)).numpy()
        rows_N = np.argsort(index_N)
        in_place = np.arange(len(pixels))
        if np.array_equal(index_N, in_place):
            return GridDataset(name=name, source=source, fingerprint=fingerprint, factors=factors, pixels=pixels)
        if np.array_equal(index_N[rows_N], in_place):
            sorted_pixels = PickedPixels(pixels, rows_N)
            return GridDataset(
                name=name,
                source=f"{source}, sorted by its classes",
                fingerprint=sorted_pixels.fingerprint(fingerprint),
                factors=factors,
                pixels=sorted_pixels,
            )
    return LabelledDataset(
        name=name,
        source=source,
        fingerprint=fingerprint,
        pixels=pixels,
        label_names=factors.names,
        label_sizes=factors.sizes,
        classes=classes_NF,
    )
