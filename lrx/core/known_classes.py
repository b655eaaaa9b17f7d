"""Known factors of images: those of a grid, the labels of a data set that is no grid, or continuous values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lrx.core.types import Dataset, FactorDataset, Labelled, Valued


@dataclass(frozen=True)
class KnownClasses:
    """Known classes of every image of a data set.

    names, sizes: of F factors or labels; the classes of f run from 0 to sizes[f] - 1.
    classes: indices int64 (B,) to classes int64 (B, F), on the CPU.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    classes: Callable[[Tensor], Tensor]

    @property
    def varying(self) -> list[int]:
        """Positions of the factors or labels with more than one value."""
        return [place for place, size in enumerate(self.sizes) if size > 1]


def find_classes(dataset: Dataset) -> KnownClasses | None:
    """Return the factors of a grid, else the labels; None where there are neither."""
    if isinstance(dataset, FactorDataset):
        return KnownClasses(dataset.factors.names, dataset.factors.sizes, dataset.factors.classes)
    if isinstance(dataset, Labelled):
        return KnownClasses(dataset.label_names, dataset.label_sizes, dataset.label_classes)
    return None


def known_classes(dataset: Dataset, purpose: str) -> KnownClasses:
    """Return factors or labels; ValueError says that `purpose` ("assay=metrics") needs them where there are none."""
    known = find_classes(dataset)
    if known is None:
        raise ValueError(f"{purpose} needs known factors of variation or labels, and {dataset.name} has neither")
    return known


@dataclass(frozen=True)
class KnownFactors:
    """Known factors of every image of a data set: classes, or continuous values.

    names: of F factors. is_continuous: of each. values: indices int64 (B,) to float64 (B, F), on the CPU.
    """

    names: tuple[str, ...]
    is_continuous: tuple[bool, ...]
    values: Callable[[Tensor], Tensor]


def known_factors(dataset: Dataset, purpose: str) -> KnownFactors:
    """Return continuous and other factors, else those of `known_classes`; ValueError where there are none."""
    if isinstance(dataset, Valued):
        return KnownFactors(dataset.value_names, dataset.is_continuous, dataset.factor_values)
    known = known_classes(dataset, purpose)
    return KnownFactors(known.names, (False,) * len(known.names), lambda images: known.classes(images).double())
