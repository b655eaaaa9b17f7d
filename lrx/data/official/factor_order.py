"""Order of the labels of an official file: they must walk the grid of its factors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from lrx.core.factors import FactorSpace


def check_classes(path: Path, factors: FactorSpace, classes: Iterable[np.ndarray]) -> None:
    """Check that the rows (., F) of classes, in pieces, are the classes of images 0, 1, 2, ...; else ValueError."""
    start = 0
    for block in classes:
        expected = factors.classes(torch.arange(start, start + len(block))).numpy()
        mismatches = np.flatnonzero((block != expected).any(axis=1))
        if len(mismatches):
            row = int(mismatches[0])
            raise ValueError(
                f"{path} is not in the order of its factors {', '.join(factors.names)}: "
                f"image {start + row} has the classes {block[row].tolist()}, not {expected[row].tolist()}"
            )
        start += len(block)


def ranks(values: np.ndarray) -> np.ndarray:
    """Return classes int64 (N, F) of label values (N, F): the rank of each value among those of its factor."""
    return np.stack([np.unique(column, return_inverse=True)[1].reshape(-1) for column in values.T], axis=1)


def grid_rows(path: Path, factors: FactorSpace, values: np.ndarray) -> np.ndarray:
    """Return the row, int64 (N,), of each grid point in label values (N, F), which may come in any order.

    Classes are the ranks of the values. path: of the labels, for messages.
    ValueError unless each factor has as many values as its size, and each combination is there once.
    """
    classes = ranks(values)
    sizes = dict(zip(factors.names, (classes.max(axis=0) + 1).tolist(), strict=True))
    expected = dict(zip(factors.names, factors.sizes, strict=True))
    if sizes != expected:
        raise ValueError(f"{path} has other labels: numbers of values {sizes}, not {expected}")
    index = factors.index(torch.from_numpy(classes)).numpy()
    rows = np.argsort(index, kind="stable")
    if not np.array_equal(index[rows], np.arange(factors.num_points)):
        raise ValueError(f"{path} does not have each combination of {', '.join(factors.names)} once")
    return rows
