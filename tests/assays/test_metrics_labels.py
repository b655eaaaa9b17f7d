"""The metrics on labels instead of factors: what a grid scores, its labelled twin scores; and labels that are rare."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.core.types import AssayResult, Dataset, FactorDataset, Labelled
from lrx.data.labelled import StoreDataset
from lrx.data.splits import part
from lrx.metrics import catalog
from lrx.metrics.dci import dci
from lrx.metrics.points import singleton_fraction
from tests.assays.test_metrics import Grid, Scaled, run
from tests.assays.test_metrics import _small as _small


class Faces:
    """Vectors (P,) with classes (L,) each."""

    name, source, fingerprint = "faces", "made in the test", "0"

    def __init__(self, points: Tensor, classes: Tensor, sizes: tuple[int, ...] | None = None) -> None:
        self.points, self.table = points.double(), classes
        self.observation_shape = (points.shape[1],)
        self.label_names = tuple(f"label {label}" for label in range(classes.shape[1]))
        self.label_sizes = sizes or (2,) * classes.shape[1]
        self.read: list[Tensor] = []

    def __len__(self) -> int:
        return len(self.points)

    def raw(self, indices: Tensor) -> Tensor:
        self.read.append(indices)
        return self.points[indices]

    def label_classes(self, indices: Tensor) -> Tensor:
        return self.table[indices]


def twin(grid: Grid) -> Faces:
    """The images of a grid, with its classes as labels."""
    classes = grid.factors.classes(torch.arange(len(grid)))
    faces = Faces(classes, classes, grid.factors.sizes)
    faces.label_names = grid.factors.names
    return faces


def rare() -> Faces:
    """1000 images of 5 normal numbers and 40 labels: `label 0` is constant, 1 marks one image, 2 three, others a share.

    Label 3 is there where the first number is large; every other one is independent of the numbers.
    """
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(1000, 5, generator=generator)
    shares = torch.linspace(0.01, 0.99, 40)
    classes = (torch.rand(1000, 40, generator=generator) < shares).long()
    classes[:, :4] = 0
    # of the images that the seed 0 draws, so that they are among the points
    drawn = torch.randperm(1000, generator=torch.Generator().manual_seed(0))
    classes[drawn[0], 1] = 1
    classes[drawn[[1, 2, 500]], 2] = 1
    classes[:, 3] = (points[:, 0] > 2).long()
    return Faces(points, classes)


def assay(data: Dataset, model: nn.Module | None = None, seed: int = 0, **settings: Any) -> AssayResult:
    model = model or Scaled(torch.eye(data.observation_shape[0]))
    return run(model, data, seed, **settings)


@pytest.mark.parametrize("sizes", [(4, 1, 5, 3, 12), (4, 1, 3, 3)])
def test_grid_and_labelled_twin_score_equal(sizes: tuple[int, ...]) -> None:
    grid, mixed = Grid(sizes), Scaled(torch.eye(len(sizes)) + 0.3)
    faces = twin(grid)
    assert isinstance(faces, Labelled)
    assert not isinstance(faces, FactorDataset)
    first, second = assay(grid, mixed), assay(faces, mixed)
    assert set(first.scores) == set(second.scores)
    assert all(np.array_equal(first.scores[name], second.scores[name], equal_nan=True) for name in first.scores)
    assert set(first.arrays) == set(second.arrays)
    assert all(np.array_equal(array.values, second.arrays[name].values) for name, array in first.arrays.items())
    assert second.coordinates["factor"].tolist() == first.coordinates["factor"].tolist()
    assert second.settings == first.settings
    assert second.settings["factors_left_out"] == "b"


def test_codes_that_are_independent_labels_score_one() -> None:
    classes = torch.stack([torch.arange(1024) >> bit & 1 for bit in range(4)], dim=1)
    scores = assay(Faces(classes, classes)).scores
    for name in ("dci_informativeness", "factorvae", "betavae", "explicitness", "irs"):
        assert scores[name] == pytest.approx(1, abs=1e-9), name
    for name in ("mig", "dci_disentanglement", "dci_completeness", "modularity"):
        assert scores[name] == pytest.approx(1, abs=0.03), name
    assert scores["sap"] == pytest.approx(0.5, abs=0.1)  # the best predicts all, the others guess


def test_forty_unbalanced_labels_serve_every_metric() -> None:
    result = assay(rare())
    assert result.settings["metrics_left_out"] is None
    assert result.settings["factors_left_out"] == "label 0"
    assert len(result.coordinates["factor"]) == 39
    assert all(np.isfinite(value) for value in result.scores.values())
    for name in catalog.metrics():
        assert any(name in score or name == "unsupervised" for score in result.scores), name
    told = result.arrays["mutual_information"].values[:, result.coordinates["factor"].tolist().index("label 3")]
    assert told.argmax() == 0
    assert result.scores["irs"] < 0.4  # noise; the label of a single image does not pass for a factor of its own
    assert result.scores["factorvae"] < 0.15  # 1 / 39 is chance


def test_sklearns_trees_take_rare_labels_too() -> None:
    faces = rare()
    drawn = torch.randperm(1000, generator=torch.Generator().manual_seed(0))[:600]
    classes = faces.table[drawn][:, 1:4]
    assert (classes[:400].sum(0)[:2] == torch.tensor([1, 2])).all()
    given: dict[str, Any] = {"num_train": 400, "num_threads": 1, "generator": torch.Generator().manual_seed(0)}
    found = dci(faces.points[drawn], classes, trees="sklearn", **given)
    assert np.isfinite(found.importance_DF).all()
    assert found.accuracy_F[2] > 0.97
    assert found.importance_DF[:, 2].argmax() == 0


def test_label_of_one_training_value_is_left_out() -> None:
    faces = rare()
    last = torch.randperm(1000, generator=torch.Generator().manual_seed(0))[599]  # a test point
    faces.table[:, 1] = 0
    faces.table[last, 1] = 1
    result = assay(faces, only=["mig", "dci", "sap", "explicitness"])
    assert result.settings["factors_left_out"] == "label 0, label 1"
    constant = Faces(faces.points, torch.zeros(1000, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="needs a factor or label with two values, and faces has none"):
        assay(constant)
    assert torch.cat(constant.read).tolist() == [0]  # for the number of latents


def own_classes() -> Faces:
    """12 images that are each a class of their own, in each of two columns."""
    points = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
    return Faces(points, torch.stack([torch.arange(12), torch.arange(12).flip(0)], 1), (12, 12))


def test_votes_without_images_of_one_class() -> None:
    result = assay(own_classes())
    assert result.settings["metrics_left_out"] == "factorvae, betavae, tad"
    assert not [name for name in result.scores if name.startswith(("factorvae", "betavae"))]
    assert {"mig", "irs", "dci_completeness"} <= set(result.scores)
    said = "compares images that share a class, and 100% of the classes of 12 images of faces are of one image alone"
    assert f"left out factorvae, betavae: each {said}" in str(result.settings["remark"])
    with pytest.raises(ValueError, match=f"^only=factorvae {said}; leave it out of only"):
        assay(own_classes(), only=["mig", "factorvae"])
    assert assay(own_classes(), only=["mig"]).settings["metrics_left_out"] is None


def test_single_label_leaves_out_what_compares_labels() -> None:
    faces = rare()
    one = Faces(faces.points, faces.table[:, 3:4])
    result = assay(one)
    assert result.settings["metrics_left_out"] == "factorvae, betavae, modularity"
    assert result.settings["scores_left_out"] == "dci_disentanglement, infom, infom_floor"
    assert result.settings["remark"] == (
        "left out factorvae, betavae, modularity, dci_disentanglement, infom, infom_floor: each compares factors, "
        "and faces has one"
    )
    assert not {
        name for name in result.scores if name.startswith(("factorvae", "betavae", "modularity", "dci_dis", "infom_"))
    }
    assert {"mig", "sap", "irs", "explicitness", "dci_completeness", "dci_informativeness"} <= set(result.scores)
    with pytest.raises(ValueError, match=r"^only=modularity compares factors, and faces has one; leave it out of only"):
        assay(one, only=["modularity"])
    assert assay(rare(), only=["dci"]).settings["scores_left_out"] is None


def test_the_share_that_stands_alone_by_hand() -> None:
    assert singleton_fraction(np.array([[0, 0], [0, 1], [1, 1], [2, 1]])) == pytest.approx((2 / 4 + 1 / 4) / 2)


def test_only_part_of_labelled_data_is_read() -> None:
    whole = rare()
    test = part(whole, "test")
    assay(test, only=["mig"])
    # the first image is read for the number of latents
    assert set(torch.cat(whole.read[1:]).tolist()) == set(test.sample.tolist())  # type: ignore[attr-defined]


def test_data_without_factors_or_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="assay=metrics needs known factors of variation or labels, and points"):
        assay(StoreDataset(name="points", source="made", fingerprint="0", pixels=np.zeros((9, 3), np.float32)))
