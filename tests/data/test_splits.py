"""Parts of a data set: their sizes, that they are disjoint, that they stay what they are, and who draws from them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.data import splits
from lrx.data.helix import double_helix
from lrx.responses.encoding import image_order, num_drawn
from lrx.storage import results
from lrx.training import checkpoint
from tests.cli.test_configs import ToyGrid
from tests.conftest import TINY, Lrx

pytestmark = pytest.mark.usefixtures("without_pictures")


def helix(size: int = 1000) -> object:
    return double_helix(num_points=size, noise=0.1, seed=0)


def test_part_sizes_of_paper() -> None:
    data = helix()
    parts = {name: splits.part(data, name) for name in splits.PARTS}
    assert {name: num_drawn(part) for name, part in parts.items()} == {"train": 720, "validation": 80, "test": 200}
    drawn = torch.cat([part.sample for part in parts.values()])
    assert sorted(drawn.tolist()) == list(range(1000))
    assert splits.part(data, "all") is data
    assert data.sample is None


def test_parts_by_permutation() -> None:
    order = np.random.RandomState(0).permutation(1000)
    assert set(splits.part(helix(), "test").sample.tolist()) == set(order[:200].tolist())
    assert set(splits.part(helix(), "validation").sample.tolist()) == set(order[200:280].tolist())


def test_published_partition() -> None:
    data = helix(6)
    data.partition = torch.tensor([0, 2, 2, 1, 0, 0])
    assert splits.part(data, "test").sample.tolist() == [1, 2]
    assert splits.part(data, "train").sample.tolist() == [0, 4, 5]


def test_a_part_of_what_is_drawn_already() -> None:
    data = helix()
    data.sample = torch.arange(0, 1000, 3)
    part = splits.part(data, "train").sample
    assert set(part.tolist()) == set(range(0, 1000, 3)) & set(splits.part(helix(), "train").sample.tolist())
    order = image_order(splits.part(data, "train"), torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == part.tolist()


def test_part_source_and_invalid_names() -> None:
    grid = ToyGrid((1, 2, 2))
    train, test = splits.part(grid, "train"), splits.part(grid, "test")
    assert train.source == "made in the test, train part, 9 images"
    assert len({grid.fingerprint, train.fingerprint, test.fingerprint}) == 3
    assert len(train) == len(grid)  # an intervention on a factor still reaches the whole grid
    with pytest.raises(ValueError, match="split must be one of all, train, validation, test, not 'half'"):
        splits.part(grid, "half")
    with pytest.raises(ValueError, match="split=test has none of the 1 images"):
        splits.part(helix(1), "test")


def test_training_and_assay_parts(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("train", *TINY, "split=train", "name=part")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "outputs/train/part"
    stored = np.load(run / "split.npz")["part"]
    assert np.bincount(stored).tolist() == [737, 82, 205]
    assert "train part, 737 images" in checkpoint.load(run / "checkpoint.pt").data["source"]
    for words, told in (([], "test part, 205 images"), (["split=validation"], "validation part"), (["split=all"], "")):
        name = f"name=a{len(told)}"
        done = lrx("assay", f"ckpt={run}", "assay.num_samples=16", "assay.base=posterior", name, *words)
        assert done.returncode == 0, done.stderr
        source = results.read(tmp_path / f"outputs/assay/a{len(told)}/result.h5").provenance["dataset_source"]
        assert told in source
        assert told or "part" not in source
    assert lrx("train", *TINY, "split=most", "name=other").returncode == 2


def test_no_split(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=whole").returncode == 0
    assert not (tmp_path / "outputs/train/whole/split.npz").exists()
    data = checkpoint.load(tmp_path / "outputs/train/whole/checkpoint.pt").data
    whole = double_helix(num_points=1024, noise=0.1, seed=0)
    assert data["fingerprint"] == hashlib.sha256(whole.raw(torch.arange(1024)).numpy().tobytes()).hexdigest()
