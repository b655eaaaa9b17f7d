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
