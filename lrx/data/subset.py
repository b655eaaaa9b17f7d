"""Subsets of a data set: a copy whose `sample` names the images that training and evaluation draw from."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor

from lrx.core.checksum import sha256
from lrx.core.data_identity import observations_fingerprint
from lrx.core.types import Dataset, Sampled

D = TypeVar("D", bound=Dataset)


def sample_of(dataset: Dataset) -> Tensor | None:
    """Return the indices int64 (M,) that a data set draws from; None for all of them."""
    return dataset.sample if isinstance(dataset, Sampled) else None


def digest(indices: Tensor) -> str:
    """Return the SHA-256 of indices int64 (M,)."""
    return sha256(indices.numpy().tobytes())


def with_sample(dataset: D, sample: Tensor, *, description: str, identity: str) -> D:
    """Return a copy of the data set that draws from `sample`, int64 (M,); indices still reach all of its images.

    description: added to `source`. identity: text that, with the former fingerprint, identifies the subset.
    """
    subset = copy.copy(dataset)
    subset.source = f"{dataset.source}, {description}"
    subset.fingerprint = sha256(f"{dataset.fingerprint}, {identity}")
    observations = sha256(f"{observations_fingerprint(dataset)}, {identity}")
    subset.observations_fingerprint = observations  # type: ignore[attr-defined]
    assert not hasattr(type(subset), "sample"), "a data set's sample is an attribute of its own"
    subset.sample = sample  # type: ignore[attr-defined]
    return subset
