"""Splits of a data set into train, validation and test parts.

CelebA comes with its own partition. Elsewhere the parts are those of Leeb et al. 2022: of the images in the order of
numpy's RandomState(0).permutation(N), the first 20 % are for testing, the next 10 % of the rest for validation, and the
others for training.
"""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from lrx.core.types import Dataset
from lrx.core.validation import check_choice
from lrx.data.subset import digest, sample_of, with_sample

PARTS = ("train", "validation", "test")  # by their codes 0, 1, 2, which are CelebA's
ALL = "all"
SEED = 0

D = TypeVar("D", bound=Dataset)


@runtime_checkable
class Partitioned(Protocol):
    """Data set that was published in parts: `partition` int64 (N,) holds a code for each image."""

    partition: Tensor


def codes(dataset: Dataset) -> Tensor:
    """Return the part of each image, uint8 (N,): 0 train, 1 validation, 2 test."""
    if isinstance(dataset, Partitioned):
        return dataset.partition.to(torch.uint8)
    size = len(dataset)
    # numpy promises that this legacy generator never changes, and the paper's split is defined by it
    order = np.random.RandomState(SEED).permutation(size)
    num_test = round(0.2 * size)
    num_validation = round(0.1 * (size - num_test))
    codes_N = np.zeros(size, dtype=np.uint8)
    codes_N[order[:num_test]] = PARTS.index("test")
    codes_N[order[num_test : num_test + num_validation]] = PARTS.index("validation")
    return torch.from_numpy(codes_N)


def part(dataset: D, name: str) -> D:
    """Return the same data set with a `sample`, int64 (M,): the images of one part, of those it draws from already.

    name: `train`, `validation`, `test`, or `all` for no restriction. ValueError for another name or an empty part.
    """
    if name == ALL:
        return dataset
    check_choice("split", name, (ALL, *PARTS))
    in_part_N = codes(dataset) == PARTS.index(name)
    sample = sample_of(dataset)
    indices = in_part_N.nonzero()[:, 0] if sample is None else sample[in_part_N[sample]]
    if not len(indices):
        raise ValueError(f"split={name} has none of the {len(dataset)} images of {dataset.name}")
    description = f"{name} part, {len(indices):,} images"
    return with_sample(dataset, indices, description=description, identity=f"{description}, {digest(indices)}")
