from __future__ import annotations

import numpy as np
import pytest
import torch

from lrx.core.known_classes import find_classes, known_classes
from lrx.data.labelled import StoreDataset
from tests.cli.test_configs import ToyGrid


class Labels:
    """Twelve numbers with labels: the factors of the toy grid, in another order."""

    name, source, fingerprint, observation_shape = "labels", "made in the test", "0", (1,)
    label_names, label_sizes = ("constant", "column", "row"), (1, 3, 4)

    def __len__(self) -> int:
        return 12

    def raw(self, indices: torch.Tensor) -> torch.Tensor:
        return indices[:, None].float()

    def label_classes(self, indices: torch.Tensor) -> torch.Tensor:
        return ToyGrid.factors.classes(indices).flip(1)


class Both(Labels):
    """A grid that has labels too."""

    factors = ToyGrid.factors


def test_classes_of_factors_and_labels() -> None:
    every = torch.arange(12)
    grid = known_classes(ToyGrid((1,)), "assay=metrics")
    assert (grid.names, grid.sizes, grid.varying) == (("row", "column", "constant"), (4, 3, 1), [0, 1])
    assert torch.equal(grid.classes(every), ToyGrid.factors.classes(every))
    labels = known_classes(Labels(), "assay=metrics")
    assert (labels.names, labels.sizes, labels.varying) == (("constant", "column", "row"), (1, 3, 4), [1, 2])
    assert torch.equal(labels.classes(every), grid.classes(every).flip(1))
    assert labels.classes(every).dtype == torch.int64


def test_factors_take_precedence_over_labels() -> None:
    assert known_classes(Both(), "assay=metrics").names == ToyGrid.factors.names


def test_no_factors_or_labels_is_refused() -> None:
    points = StoreDataset(name="points", source="made", fingerprint="0", pixels=np.zeros((9, 3), np.float32))
    assert find_classes(points) is None
    message = r"^assay=metrics needs known factors of variation or labels, and points has neither$"
    with pytest.raises(ValueError, match=message):
        known_classes(points, "assay=metrics")
