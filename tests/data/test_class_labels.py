"""Classes beside arrays: a full grid, in any order, or labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrx.core.data_identity import observations_fingerprint
from lrx.core.factors import FactorSpace
from lrx.core.types import FactorDataset, Labelled
from lrx.data.correlation import with_correlation
from lrx.data.grid import GridDataset
from tests.data.test_arrays import COLOUR, GRID, N, opened, shown, write


def test_classes_fill_grid(tmp_path):
    dataset = opened(write(tmp_path, images=COLOUR, classes=GRID), classes="classes", factor_names=["row", "column"])
    assert isinstance(dataset, GridDataset)
    assert dataset.factors == FactorSpace(names=("row", "column"), sizes=(2, 3))
    assert np.array_equal(shown(dataset), COLOUR.transpose(0, 3, 1, 2))
    assert not isinstance(dataset, Labelled)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [4, 2, 0, 5, 1, 3]])
def test_grid_counted_from_one_or_with_gaps(tmp_path, order):
    plain = opened(write(tmp_path, images=COLOUR, classes=GRID), classes="classes")
    given = (GRID * [1, 10] + [1, 0])[order]  # 1, 2 and 0, 10, 20
    path = write(tmp_path, images=COLOUR[order], classes=given)
    dataset = opened(path, classes="classes", factor_names=["row", "column"])
    assert isinstance(dataset, GridDataset)
    assert dataset.factors == FactorSpace(names=("row", "column"), sizes=(2, 3))
    assert np.array_equal(shown(dataset), shown(plain))
    assert dataset.remark == "classes relabelled to 0, 1, ...: row 1, 2; column 0, 10, 20"
    assert dataset.remark in dataset.source
    assert dataset.class_names == {"row": ("1", "2"), "column": ("0", "10", "20")}


def test_fingerprint_covers_classes(tmp_path):
    def fingerprints(classes, names=None):
        dataset = opened(write(tmp_path, images=COLOUR, classes=classes), classes="classes", factor_names=names)
        return dataset.fingerprint, observations_fingerprint(dataset)

    grids = [GRID, np.stack(np.divmod(np.arange(N), 2), 1)]  # sizes 2, 3 and 3, 2, images in the same order
    labels = [np.minimum(GRID, 1), np.zeros_like(GRID), GRID[:, 1:]]
    all_of_them = [fingerprints(np.array(classes)) for classes in grids + labels]
    all_of_them.append(fingerprints(GRID, ["row", "column"]))
    assert len({fingerprint for fingerprint, _ in all_of_them}) == 6
    assert {observations for _, observations in all_of_them} == {opened(write(tmp_path, images=COLOUR)).fingerprint}
    assert fingerprints(GRID) == all_of_them[0]


def test_classes_fill_grid_in_other_order(tmp_path):
    order = np.array([4, 2, 0, 5, 1, 3])
    plain = opened(write(tmp_path, images=COLOUR, classes=GRID), classes="classes")
    dataset = opened(write(tmp_path, "h5", images=COLOUR[order], classes=GRID[order]), classes="classes")
    assert isinstance(dataset, GridDataset)
    assert dataset.factors.names == ("factor_1", "factor_2")
    assert np.array_equal(shown(dataset), shown(plain))
    assert dataset.source.endswith(", sorted by its classes")
    assert dataset.fingerprint != plain.fingerprint


def test_correlation_of_own_classes(tmp_path):
    correlation = {"factors": ["factor_1", "factor_2"], "width": 0.8}
    path = write(tmp_path, images=COLOUR, classes=GRID)
    dataset = with_correlation(opened(path, classes="classes"), correlation)
    assert 0 < len(dataset.sample) < N
    assert "factor_1 and factor_2 correlated" in dataset.source
    with pytest.raises(ValueError, match=r"^correlation needs known factors of variation or labels, and mine has neit"):
        with_correlation(opened(path), correlation)


@pytest.mark.parametrize("classes", [np.minimum(GRID, 1), GRID[:, 1:], [[0, 0]] * 3 + [[1, 2]] * 3])
def test_other_classes_are_labels(tmp_path, classes):
    classes = np.array(classes)
    dataset = opened(write(tmp_path, images=COLOUR, classes=classes), classes="classes")
    assert isinstance(dataset, Labelled)
    assert not isinstance(dataset, FactorDataset)
    assert dataset.label_names == (("classes",) if classes.shape[1] == 1 else ("factor_1", "factor_2"))
    assert dataset.label_sizes == tuple(classes.max(axis=0) + 1)
    assert dataset.label_classes(torch.tensor([5, 0])).tolist() == classes[[5, 0]].tolist()


@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_single_column_takes_name_of_its_array(tmp_path, shape):
    path = write(tmp_path, images=COLOUR, brightness=np.arange(6).reshape(shape) % 2)
    assert opened(path, classes="brightness").label_names == ("brightness",)
    assert opened(path, classes="brightness", factor_names=["shade"]).label_names == ("shade",)


def test_one_column_may_come_without_its_axis(tmp_path):
    dataset = opened(
        write(tmp_path, images=COLOUR, digit=np.array([7, 0, 7, 1, 1, 2], dtype=np.uint8)), classes="digit"
    )
    assert dataset.label_sizes == (8,)
    assert dataset.label_classes(torch.tensor([0])).tolist() == [[7]]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (GRID - 1, "row 0 of 'classes' has the class -1; classes begin at 0"),
        (GRID / 2, r"'classes' has shape \(6, 2\) and dtype float64; classes are whole numbers"),
        (GRID[:5], r"has shape \(5, 2\).*the classes of 6 images have the shape \(6, factors\)"),
        (GRID[:, :, None], r"shape \(6, 2, 1\)"),
    ],
)
def test_wrong_classes_are_refused_in_one_line(tmp_path, classes, message):
    path = write(tmp_path, images=COLOUR, classes=classes)
    with pytest.raises(ValueError, match=message) as caught:
        opened(path, classes="classes")
    assert "\n" not in str(caught.value)


def test_wrong_names_of_factors_are_refused(tmp_path):
    path = write(tmp_path, images=COLOUR, classes=GRID)
    with pytest.raises(ValueError, match=r"^factor_names must be 2 names, one a column of 'classes', not"):
        opened(path, classes="classes", factor_names=["row"])
    with pytest.raises(ValueError, match=r"one size per distinct name, not names=\('row', 'row'\)"):
        opened(path, classes="classes", factor_names=["row", "row"])
    with pytest.raises(ValueError, match=r"^factor_names names the columns of classes: set classes too"):
        opened(path, factor_names=["row", "column"])
    with pytest.raises(ValueError, match="npy file, which holds one array and no 'classes'; put both into an npz"):
        opened(write(tmp_path, "npy", images=COLOUR), classes="classes")
