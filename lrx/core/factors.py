"""Factors of variation of a data set: their names, their sizes, and the grid that they span.

Grids are row-major, the last factor fastest, as dSprites, 3D Shapes and MPI3D are stored:
index = ((c_1 * size_2 + c_2) * size_3 + c_3) ...
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FactorSpace:
    """Names and sizes of F factors. Tensors of classes are int64 (..., F), tensors of indices int64 (...).

    >>> space = FactorSpace(names=("shape", "scale"), sizes=(3, 6))
    >>> space.num_points
    18
    >>> space.classes(torch.tensor([0, 7]))
    tensor([[0, 0],
            [1, 1]])
    >>> space.index(torch.tensor([1, 1]))
    tensor(7)
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.sizes) or len(set(self.names)) != len(self.names):
            raise ValueError(f"factors need one size per distinct name, not names={self.names} sizes={self.sizes}")
        if any(size < 1 for size in self.sizes):
            raise ValueError(f"factor sizes are at least 1, not {dict(zip(self.names, self.sizes, strict=True))}")

    def __len__(self) -> int:
        """Number of factors, F."""
        return len(self.names)

    @property
    def num_points(self) -> int:
        """Number of points of the full grid."""
        return math.prod(self.sizes)

    def classes(self, index: Tensor) -> Tensor:
        """Convert grid indices (...) to factor classes (..., F)."""
        columns = []
        for size in reversed(self.sizes):
            columns.append(index % size)
            index = index // size
        return torch.stack(columns[::-1], dim=-1)

    def index(self, classes: Tensor) -> Tensor:
        """Convert factor classes (..., F) to grid indices (...)."""
        index = torch.zeros_like(classes[..., 0])
        for factor, size in enumerate(self.sizes):
            index = index * size + classes[..., factor]
        return index

    def traversal(self, classes: Tensor, factor: int) -> Tensor:
        """Return all values of one factor with the others fixed: classes (F,) to (size of that factor, F)."""
        values = classes.repeat(self.sizes[factor], 1)
        values[:, factor] = torch.arange(self.sizes[factor])
        return values

    def position(self, name: str) -> int:
        """Return the position of a factor by its name; ValueError lists the valid names."""
        if name not in self.names:
            raise ValueError(f"no factor {name!r}; the factors are {', '.join(self.names)}")
        return self.names.index(name)
