"""Identity of data: what trainings and results store of the observations and classes that they were made of.

`fingerprint` of a data set covers observations and known classes. That of the observations alone is what a training
depends on, and what version 0.1.0 stored everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lrx.core.checksum import sha256
from lrx.core.types import Dataset, Paired

if TYPE_CHECKING:
    import numpy as np


def observations_fingerprint(dataset: Dataset) -> str:
    """Return the fingerprint of the observations alone; of a data set without one, its fingerprint."""
    return str(getattr(dataset, "observations_fingerprint", dataset.fingerprint))


def training_fingerprint(dataset: Dataset, model: object) -> str:
    """Return the fingerprint of what a training reads: observations, and classes where the model pairs by them."""
    return dataset.fingerprint if isinstance(model, Paired) else observations_fingerprint(dataset)


def fingerprint_with_classes(
    observations: str, names: tuple[str, ...], sizes: tuple[int, ...], classes: np.ndarray | None = None
) -> str:
    """Return the SHA-256 of observations, given by theirs, with names and sizes of factors or labels.

    classes: whole numbers (N, L) of labels; None for a grid, whose classes follow from its sizes.
    """
    described = json.dumps([observations, list(names), list(sizes)]).encode()
    return sha256(described + (b"" if classes is None else classes.astype("<i8").tobytes()))


def about_data(dataset: Dataset) -> dict[str, str]:
    """Return what a result says of its data; `class_names` is JSON: by factor or label, the name of each class."""
    class_names: Mapping[str, tuple[str, ...]] = getattr(dataset, "class_names", {})
    return {
        "dataset": dataset.name,
        "dataset_source": dataset.source,
        "dataset_fingerprint": dataset.fingerprint,
        "observations_fingerprint": observations_fingerprint(dataset),
        **({"class_names": json.dumps(class_names, ensure_ascii=False)} if class_names else {}),
    }
