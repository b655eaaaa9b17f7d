"""Measurement: the model, the data and the means of computing that an assay is given.

D latents. Device, number of latents and batch size are determined once for all steps.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from lrx.core.flat_codes import with_flat_codes
from lrx.core.types import AssayResult, Autoencoder, Dataset
from lrx.responses.encoding import device_and_dtype_of, fitting_batch_size, latent_shape
from lrx.responses.units import Units, elements, units_of
from lrx.responses.work_units import ALL_UNITS, Share

if TYPE_CHECKING:
    from lrx.responses.matrix import ResponseMatrix


def no_progress(done: int, total: int) -> None:
    """Ignore progress."""


class ResultStore(Protocol):
    """Store of finished results by the name of their assay, from which an interrupted run of several assays goes on."""

    def get(self, name: str) -> AssayResult | None:
        """Return the stored result of an assay, or None."""

    def put(self, name: str, result: AssayResult) -> None:
        """Store the result of an assay."""


class NoStore:
    """Store that keeps nothing."""

    def get(self, name: str) -> AssayResult | None:
        """Return None."""

    def put(self, name: str, result: AssayResult) -> None:
        """Ignore a result."""


NO_STORE = NoStore()


@dataclass(frozen=True)
class Measurement:
    """Model on a data set, ready to be measured; made by `measurement`.

    generator: the source of all random draws of the assay.
    batch_size: observations or latents per forward pass; changes no result beyond rounding.
    num_latents: D. latent_shape: of one code as the model gives it, (D,) or (C, h, w); the autoencoder here has flat
        codes (B, D). device_and_dtype: an empty tensor on the model's device and in its dtype.
    progress: called with what is done and the total, in units of the assay's choice.
    share: which work units this process evaluates (`lrx.responses.work_units`).
    matrix: the response matrix that was already measured in this run, or None.
    store: of the results of a run of several assays.
    units: what is set together: each latent of a vector, each channel of a map, unless `with_units` says otherwise.
    """

    autoencoder: Autoencoder
    dataset: Dataset
    generator: torch.Generator
    batch_size: int
    num_latents: int
    device_and_dtype: Tensor
    progress: Callable[[int, int], None] = no_progress
    share: Share = ALL_UNITS
    matrix: ResponseMatrix | None = None
    store: ResultStore = NO_STORE
    latent_shape: tuple[int, ...] = ()
    units: Units = field(default_factory=lambda: elements(0))

    def with_units(self, chosen: str | Sequence[Sequence[int]] | None) -> Measurement:
        """Return this measurement with the units that the setting `units` names. SettingError for others."""
        return dataclasses.replace(self, units=units_of(self.latent_shape, chosen))


def measurement(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    share: Share = ALL_UNITS,
    matrix: ResponseMatrix | None = None,
) -> Measurement:
    """Prepare a measurement; encodes one image to learn the number of latents.

    batch_size: None for one that fits the memory (`fitting_batch_size`).
    ValueError for a data set without images, or codes that are neither (batch, D) nor (batch, C, h, w).
    """
    shape = latent_shape(autoencoder, dataset)
    return Measurement(
        with_flat_codes(autoencoder, shape),
        dataset,
        generator,
        batch_size=batch_size or fitting_batch_size(dataset.observation_shape),
        num_latents=math.prod(shape),
        device_and_dtype=device_and_dtype_of(autoencoder),
        progress=progress or no_progress,
        share=share,
        matrix=matrix,
        latent_shape=shape,
        units=units_of(shape, None),
    )
