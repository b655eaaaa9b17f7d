"""Infinite dSprites, drawn by the authors' own package."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from idsprites import InfiniteDSprites

from lrx.data.grid import GridDataset
from lrx.data.idsprites import idsprites
from tests.conftest import Lrx

SMALL = {"shapes": 2, "colors": ["white", "red"], "scales": 3, "orientations": 2, "positions": 2}


def opened(**changes: object) -> GridDataset:
    settings = SMALL | {"marker": False, "size": 32, "seed": 3} | changes  # numba compiles the marker, for seconds
    return idsprites(**settings)  # type: ignore[arg-type]


def test_images_in_the_order_of_the_package() -> None:
    """Its own iterator goes through the same grid, with its default ranges, which are those of 32 values."""
    few = 40
    dataset = opened(shapes=1, colors=["white"], scales=32, orientations=32, positions=32)
    np.random.seed(3)  # noqa: NPY002
    own = iter(InfiniteDSprites(img_size=32, shapes=1, orientation_marker=False))
    expected = np.stack([next(own)[0] for _ in range(few)])
    assert dataset.factors.sizes == (1, 1, 32, 32, 32, 32)
    assert np.array_equal(dataset.raw(torch.arange(few)).numpy(), np.rint(255 * expected).astype(np.uint8))
    package = InfiniteDSprites(img_size=32).ranges
    for name, values in (("scale", "_scales"), ("orientation", "_angles"), ("position_x", "_places")):
        assert np.array_equal(getattr(dataset.pixels, values), package[name])


def test_factors_show(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = opened()
    classes = dataset.factors.classes(torch.arange(len(dataset))).numpy()
    images = dataset.raw(torch.arange(len(dataset))).numpy()
    ground = np.array([169, 169, 169])[:, None, None]
    area = (images != ground).any(axis=1).sum(axis=(1, 2))
    assert (np.diff([area[classes[:, 2] == scale].mean() for scale in range(3)]) > 0).all()
    red = images[classes[:, 1] == 1]
    assert (red[:, 0] >= red[:, 1]).all()
    assert (images[classes[:, 1] == 0][:, 0] == images[classes[:, 1] == 0][:, 2]).all()
    columns, rows = (np.argwhere((images != ground).any(axis=1))[:, axis] for axis in (2, 1))
    which = np.argwhere((images != ground).any(axis=1))[:, 0]
    for factor, place in ((4, columns), (5, rows)):
        left, right = (place[classes[which, factor] == value].mean() for value in (0, 1))
        assert right - left == pytest.approx(16, abs=2)  # half of the side


def test_identity_and_global_generator() -> None:
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.rand(3)  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    dataset = opened()
    assert np.array_equal(np.random.rand(3), expected)  # noqa: NPY002
    assert opened().fingerprint == dataset.fingerprint
    assert len({dataset.fingerprint, *(opened(**{k: v}).fingerprint for k, v in (("seed", 4), ("size", 48)))}) == 3
    assert "drawn by idsprites 1.0.1, seed 3, without marker" in dataset.source
    indices = torch.tensor([5, 20])
    assert torch.equal(opened(shapes=3).raw(indices), dataset.raw(indices))  # more shapes leave the first ones


def test_refusals_as_typed(lrx: Lrx, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("prepare", "dataset=idsprites", "dataset.marker=false")
    for word, message in {
        "shapes=0": "dataset.shapes must be a whole number of at least 1",
        "colors=[]": "dataset.colors must be a list of one or more",
        "colors=[ruby]": "dataset.colors must be names such as white",
        "seed=-1": "dataset.seed must be",
        "marker=2": "dataset.marker must be true or false",
    }.items():
        refused = lrx(*words, f"dataset.{word}")
        assert refused.returncode == 2
        assert message in refused.stderr.splitlines()[-1]
    done = lrx(*words, "dataset.shapes=2")
    assert done.returncode == 0, done.stderr
    assert f"ready: idsprites, {2 * 32**4:,} images" in done.stderr
    monkeypatch.setitem(sys.modules, "idsprites", None)
    refused = lrx(*words)
    assert refused.returncode == 2
    assert "pip install 'lrx[idsprites]'" in refused.stderr.splitlines()[-1]
