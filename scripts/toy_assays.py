"""Small data set, and settings with which assays take little time: for the pages that list arrays, and for tests."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from lrx.assays import catalog
from lrx.core.factors import FactorSpace
from lrx.core.settings import Checked
from lrx.data.grid import GridDataset

SMALL: dict[str, object] = {  # settings that only cost time
    "num_samples": 32,
    "num_points": 8,
    "num_images": 16,
    "num_groups": 4,
    "max_pairs": 2,
    "num_bootstrap": 4,
    "num_replicates": 4,
    "num_pairs": 2,
    "num_nodes": 8,
    "num_posterior": 8,
    "probe_steps": 2,
    "resolution": 8,
    "decoded": 2,
    "repeats": 2,
    "num_test": 16,
    "shown": 1,
    "steps": 3,
    "labels": [20],
    "preset": "fast",
    "target_se": None,
    "cache": None,
}


def small(name: str) -> Checked:
    """Return settings of an assay that take little time."""
    settings = catalog.settings_of(name)
    names = [entry.name for entry in dataclasses.fields(settings) if entry.name in SMALL]
    return settings(**{key: SMALL[key] for key in names})


def toy() -> GridDataset:
    """Return 64 images of a square, over row, column and shade."""
    factors = FactorSpace(names=("row", "column", "shade"), sizes=(4, 4, 4))
    images = np.zeros((64, 1, 8, 8), dtype=np.uint8)
    for image, (row, column, shade) in zip(images, factors.classes(torch.arange(64)).tolist(), strict=True):
        image[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 60 * (shade + 1)
    return GridDataset(name="toy", source="made", fingerprint="toy", factors=factors, pixels=images)
