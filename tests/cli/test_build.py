"""Data sets as a config describes them: the key `dataset.correlation`, which every data set has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from lrx.cli.build import open_dataset
from lrx.cli.config import Config
from lrx.core.types import Dataset
from tests.cli.test_configs import GROUPS, composed
from tests.conftest import TINY, Lrx

pytestmark = pytest.mark.usefixtures("without_pictures")

CLASSES = np.indices((3, 2, 4)).reshape(3, -1).T  # in Fortran order, as numpy gives them
CORRELATION = "dataset.correlation={factors:[factor_1,factor_2],width:0.3}"


def write_arrays(folder: Path, classes: np.ndarray = CLASSES) -> list[str]:
    images = np.random.default_rng(0).integers(0, 256, (len(classes), 4, 4), dtype=np.uint8)
    np.savez(folder / "mine.npz", images=images, classes=classes)
    return [
        "dataset=arrays",
        f"dataset.path={folder / 'mine.npz'}",
        f"dataset.root={folder}",
        "dataset.classes=classes",
    ]


def opened(*overrides: str) -> Dataset:
    return open_dataset(Config(composed("train", *overrides), {}))


@pytest.mark.parametrize("name", GROUPS["dataset"])
def test_every_dataset_has_the_key_correlation(name: str) -> None:
    node = composed("train", f"dataset={name}")
    assert "correlation" in node.dataset
    assert node.dataset.correlation is None
    assert "correlation" in composed("import", f"dataset={name}").dataset


def test_correlation_of_grid_and_labels(tmp_path: Path) -> None:
    words = write_arrays(tmp_path)
    assert opened(*words).sample is None  # type: ignore[attr-defined]
    assert opened(*words, "dataset.correlation=none").sample is None  # type: ignore[attr-defined]
    grid = opened(*words, CORRELATION)
    assert grid.source.endswith("factor_1 and factor_2 correlated, width 0.3")
    labels = opened(*write_arrays(tmp_path, CLASSES[:-1]), CORRELATION)
    assert labels.source.endswith("factor_1 and factor_2 correlated, width 0.3")
    assert 0 < len(labels.sample) < len(labels)  # type: ignore[attr-defined]


def test_correlation_that_does_not_fit_names_the_key() -> None:
    message = r"^dataset\.correlation\.factors: no label 'height'; the labels are strand$"
    with pytest.raises(ValueError, match=message):
        opened("dataset=helix", "dataset.correlation={factors:[strand,height],width:0.2}")


def test_dataset_of_ones_own_has_correlation() -> None:
    """A function that returns a grid, and a yaml with its keys, as in docs/extending.md, need nothing more."""
    node = composed("train", "dataset=helix")
    node.dataset = OmegaConf.create(
        {"_target_": "tests.cli.test_build.stripes", "correlation": {"factors": ["a", "b"], "width": 0.5}}
    )
    dataset = open_dataset(Config(node, {}))
    assert dataset.source == "made in memory, a and b correlated, width 0.5"


def stripes() -> Dataset:
    from lrx.core.factors import FactorSpace
    from lrx.data.grid import GridDataset

    return GridDataset(
        name="stripes",
        source="made in memory",
        fingerprint="stripes",
        factors=FactorSpace(("a", "b"), (4, 4)),
        pixels=np.zeros((16, 1, 4, 4), np.uint8),
    )


def test_assay_undoes_and_sets_correlation(lrx: Lrx, tmp_path: Path) -> None:
    words = ["dataset.num_points=64", "trainer.steps=2", "name=helix"]
    assert lrx("train", *TINY, *words).returncode == 0
    config = tmp_path / "outputs/train/helix/config.yaml"
    node = OmegaConf.load(config)
    del node.dataset["correlation"]  # which version 0.1.0 wrote for grids alone
    config.write_text(OmegaConf.to_yaml(node))
    done = lrx("train", *TINY, *words)
    assert done.returncode == 0, done.stderr
    assay = ["assay", "ckpt=outputs/train/helix", "assay.num_samples=8"]
    assert lrx(*assay, "dataset.correlation=none").returncode == 0
    refused = lrx(*assay, "dataset.correlation={factors:[strand,height],width:0.2}")
    assert refused.returncode == 2
    assert "dataset.correlation.factors: no label 'height'" in refused.stderr
