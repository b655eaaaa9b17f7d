"""Factors and labels that both ends of an interpolation share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.interpolation.assay import share_factors
from lrx.core.factors import FactorSpace
from tests.assays.test_interpolation import assay, values
from tests.support.models_for_tests import one_thread as one_thread


class Squares:
    """Images (1, 8, 8) of one bright pixel; row and column are factors, and so is a third that nothing shows."""

    name, source, fingerprint, observation_shape = "squares", "made in the test", "0", (1, 8, 8)
    factors = FactorSpace(("row", "column", "constant"), (4, 4, 1))

    def __len__(self) -> int:
        return 16

    def raw(self, indices: Tensor) -> Tensor:
        x = torch.zeros(len(indices), 1, 8, 8, dtype=torch.uint8)
        classes = self.factors.classes(indices)
        x[torch.arange(len(indices)), 0, 2 * classes[:, 0], 2 * classes[:, 1]] = 255
        return x


class Pixel(nn.Module):
    """Reads row and column of the bright pixel, and draws the nearest pixel: h rounds to the grid of classes."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.arange(8.0) / 2)

    def encode(self, x: Tensor) -> Tensor:
        return torch.stack([x.sum((1, 3)) @ self.places, x.sum((1, 2)) @ self.places], dim=1)

    def decode(self, z: Tensor) -> Tensor:
        down, across = ((-20 * (z[:, i : i + 1] - self.places).square()).softmax(1) for i in (0, 1))
        return down[:, None, :, None] * across[:, None, None, :]


class Exact:
    """A probe that makes no error: the brightest row and column."""

    varying, scores = [0, 1], {"probe_accuracy": 1.0, "probe_accuracy_se": 0.01}

    def to(self, device: torch.device) -> Exact:
        return self

    def classes(self, x: Tensor) -> Tensor:
        return torch.stack([x.sum((1, 3)).argmax(1) // 2, x.sum((1, 2)).argmax(1) // 2], dim=1)


def test_shared_factors_are_kept_on_straight_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrx.assays.interpolation.assay.factor_probe", lambda *_, **__: Exact())
    result = assay(Pixel(), data=Squares(), probe_steps=60, num_nodes=0, steps=3, num_pairs=8, share=0.9)
    assert result.scores["probe_accuracy"] == 1
    assert result.scores["num_sharing"] >= 4
    classes = Squares.factors.classes(torch.from_numpy(result.arrays["ends"].values))
    shared = (classes[:, 0, :2] == classes[:, 1, :2]).any(1).numpy()
    kept = values(result, "kept")["straight"]
    assert np.array_equal(~np.isnan(kept), shared)
    assert (kept[shared] == 1).all()
    assert result.arrays["images"].values.shape == (4, 2, 9, 1, 8, 8)
    assert result.arrays["images"].axes == ("path", "shown", "point", "channel", "height", "width")


class LabelledSquares:
    """The same images, whose row and column are labels."""

    name, source, fingerprint, observation_shape = "squares", "made in the test", "0", (1, 8, 8)
    label_names, label_sizes = Squares.factors.names, Squares.factors.sizes

    def __len__(self) -> int:
        return 16

    def raw(self, indices: Tensor) -> Tensor:
        return Squares().raw(indices)

    def label_classes(self, indices: Tensor) -> Tensor:
        return Squares.factors.classes(indices)


def test_shared_labels_are_read_like_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrx.assays.interpolation.assay.factor_probe", lambda *_, **__: Exact())
    given = {"probe_steps": 60, "num_nodes": 0, "steps": 3, "num_pairs": 8}
    result = assay(Pixel(), data=LabelledSquares(), share=0.9, **given)
    drawn = torch.randperm(16, generator=torch.Generator().manual_seed(0)).view(2, 8).T
    assert result.arrays["ends"].values.tolist() == drawn.tolist()  # no label can be made equal
    classes = Squares.factors.classes(drawn)[..., :2]
    shared = (classes[:, 0] == classes[:, 1]).any(1).numpy()
    kept = values(result, "kept")["straight"]
    assert np.array_equal(~np.isnan(kept), shared)
    assert shared.any()
    assert (kept[shared] == 1).all()
    grid = assay(Pixel(), data=Squares(), share=0.0, **given)
    assert np.array_equal(grid.arrays["kept"].values, result.arrays["kept"].values, equal_nan=True)


def test_factor_that_changes_and_returns_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Restless(Exact):
        """Reads row 3 wherever the column is neither that of the first nor of the last class."""

        def classes(self, x: Tensor) -> Tensor:
            read = super().classes(x)
            read[(read[:, 1] == 1) | (read[:, 1] == 2), 0] = 3
            return read

    monkeypatch.setattr("lrx.assays.interpolation.assay.factor_probe", lambda *_, **__: Restless())
    result = assay(Pixel(), data=Squares(), probe_steps=60, num_nodes=0, steps=0, num_pairs=8, share=0.9, num_points=7)
    classes = Squares.factors.classes(torch.from_numpy(result.arrays["ends"].values))[..., :2]
    kept = values(result, "kept")["straight"]
    for pair, (a, b) in enumerate(classes.tolist()):
        if a[0] == b[0] != 3 and {a[1], b[1]} == {0, 3}:
            assert 0 < kept[pair] < 0.7


def test_number_of_shared_factors() -> None:
    space = FactorSpace(("a", "b", "c"), (10, 10, 10))
    a, b = torch.randint(1000, (2, 4000), generator=torch.Generator().manual_seed(0))
    b = torch.where(a == b, (b + 1) % 1000, b)
    found = share_factors(space, a, b, 0.5, torch.Generator().manual_seed(1))
    assert (found != a).all()
    equal = (space.classes(found) == space.classes(a)).double().mean()
    assert float(equal) == pytest.approx(0.5 + 0.05 - 0.125, abs=0.03)  # an eighth would be equal, and stays as it was
    assert torch.equal(share_factors(space, a, b, 0.0, torch.Generator()), b)
