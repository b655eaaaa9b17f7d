"""Contracts: autoencoders, data sets, and the results of assays.

An observation is an image (C, H, W) in [0, 1] or a plain vector (P,) in its own units. B is a batch, D the number
of latents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:  # torch takes more than a second to import, and who only reads results does without it
    import torch
    from torch import Tensor

    from lrx.core.factors import FactorSpace


@runtime_checkable
class Autoencoder(Protocol):
    """Anything with encode and decode can be assayed."""

    def encode(self, x: Tensor) -> Tensor:
        """Observations (B, *observation_shape) to the posterior mean (B, D), or to codes with a shape (B, C, h, w)."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """Latents, as encode gives them, to observations (B, *observation_shape): pixels in [0, 1], never logits."""
        ...


@runtime_checkable
class Probabilistic(Autoencoder, Protocol):
    """Autoencoder whose encoder gives a diagonal Gaussian."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Observations (B, *observation_shape) to mean and standard deviation, each (B, D)."""
        ...


@runtime_checkable
class Quantized(Autoencoder, Protocol):
    """Autoencoder whose codes take one of V values in each latent, so that an intervention can set each of them."""

    def latent_values(self) -> Tensor:
        """Return the values of each latent (D, V), ascending."""
        ...


@runtime_checkable
class Trainable(Autoencoder, Protocol):
    """Autoencoder that train() can fit."""

    observation_shape: tuple[int, ...]
    latent_dim: int

    def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Scalars of one batch; the key `loss` is minimised, the others are logged."""
        ...


@runtime_checkable
class Grouped(Trainable, Protocol):
    """Trainable whose parameters are not all trained alike."""

    def parameter_groups(self) -> list[dict[str, object]]:
        """Groups for Adam: `params`, and what is not the trainer's, such as `lr`, `betas` or `weight_decay`."""
        ...


@runtime_checkable
class Paired(Trainable, Protocol):
    """Trainable that learns from pairs: its batches hold B observations, then the B partners of each."""

    def partners(self, dataset: Dataset, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Return the partners, int64 (B,), of the observations with these indices int64 (B,)."""
        ...


@runtime_checkable
class Dataset(Protocol):
    """Observations by index. `source` says in plain words where they come from, `fingerprint` identifies them."""

    name: str
    source: str
    fingerprint: str
    observation_shape: tuple[int, ...]

    def __len__(self) -> int: ...

    def raw(self, indices: Tensor) -> Tensor:
        """Indices int64 (B,) to (B, *observation_shape) as stored, on the CPU: uint8 pixels or float32 vectors."""
        ...


@runtime_checkable
class FactorDataset(Dataset, Protocol):
    """Data set that is a full grid of factors: index i shows the classes factors.classes(i)."""

    factors: FactorSpace


@runtime_checkable
class Labelled(Dataset, Protocol):
    """Data set whose images carry known classes, but need not fill a grid: attributes of faces, classes of your own.

    label_names and label_sizes: of L labels; the classes of label l run from 0 to label_sizes[l] - 1.
    """

    label_names: tuple[str, ...]
    label_sizes: tuple[int, ...]

    def label_classes(self, indices: Tensor) -> Tensor:
        """Indices int64 (B,) to classes int64 (B, L), on the CPU."""
        ...


@runtime_checkable
class Valued(Dataset, Protocol):
    """Data set with known factors of any kind: classes, and continuous values.

    value_names: of F factors. is_continuous: of each, whether it is a value, and not the number of a class.
    """

    value_names: tuple[str, ...]
    is_continuous: tuple[bool, ...]

    def factor_values(self, indices: Tensor) -> Tensor:
        """Indices int64 (B,) to values float64 (B, F), on the CPU."""
        ...


@runtime_checkable
class Named(Dataset, Protocol):
    """Data set of vectors whose P columns may have names, such as genes or sensors; () where they have none."""

    column_names: tuple[str, ...]


def with_factors(dataset: Dataset, purpose: str) -> FactorDataset:
    """Return the data set if it has known factors; ValueError says that `purpose` ("assay=metrics") needs them."""
    if not isinstance(dataset, FactorDataset):
        raise ValueError(f"{purpose} needs known factors of variation, and {dataset.name} has none")
    return dataset


def as_float(raw: Tensor) -> Tensor:
    """Convert what Dataset.raw gives to what models take: uint8 pixels to float32 in [0, 1], vectors unchanged.

    Called after the move to the device, so that a quarter of the bytes travels.
    """
    return raw if raw.is_floating_point() else raw.float().div_(255)


@runtime_checkable
class Sampled(Protocol):
    """Data set that may show only some of its images in training and evaluation: see lrx.data.correlation."""

    sample: Tensor | None


@dataclass(frozen=True)
class Array:
    """Array of a result with named axes: values, one axis name per dimension, and the unit in words."""

    values: np.ndarray
    axes: tuple[str, ...]
    unit: str = "1"
    description: str = ""

    def __post_init__(self) -> None:
        assert self.values.ndim == len(self.axes), (self.values.shape, self.axes)


@dataclass(frozen=True)
class AssayResult:
    """Result of an assay.

    arrays: by name, among them `matrix` and `matrix_se` where the assay has one.
    coordinates: the labels along an axis (factor names, latent indices), by axis name.
    scores: scalars by name; the standard error of `x`, where it is estimated, is the score `x_se`.
    settings: what was asked for, and what was done (such as num_samples after target_se); `remark` warns of a result.
    """

    arrays: Mapping[str, Array]
    coordinates: Mapping[str, np.ndarray]
    scores: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True where nothing was measured, for the reason that its setting `remark` says."""
        return not self.arrays and not self.scores
