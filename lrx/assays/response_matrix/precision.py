"""Precision of the draws of a response matrix: what the setting asks for, and what the processor has."""

from __future__ import annotations

import dataclasses

import torch

from lrx.core.bf16_support import quick_bf16
from lrx.core.settings import Stored
from lrx.core.types import Array
from lrx.responses.bf16 import InBf16
from lrx.responses.matrix import AXES, ResponseMatrix
from lrx.responses.measure_matrix import add_draws
from lrx.responses.measurement import Measurement, no_progress
from lrx.responses.mixed_matrix import MixedMatrix
from lrx.responses.work_units import ALL_UNITS

ROUNDING_DRAWS = 16  # on which the rounding of bf16 is measured; with more it averages out and is smaller


def is_mixed(m: Measurement, precision: str) -> bool:
    """Return whether draws are in bf16 and corrected: where the setting says so, and the processor has bf16."""
    return precision == "mixed" and quick_bf16(m.device_and_dtype.device)


def precision_done(matrix: ResponseMatrix, precision: str) -> dict[str, Stored]:
    """Return the precision that draws were in, and how many correct them, for the settings of a result."""
    if isinstance(matrix, MixedMatrix):
        return {"precision": "mixed", "num_corrections": matrix.num_corrections}
    return {"precision": "float32" if precision == "mixed" else precision}


def with_precision(remark: str | None, matrix: ResponseMatrix, precision: str) -> str | None:
    """Return a remark of a result, and that draws are in float32 where the setting says otherwise."""
    if precision != "mixed" or isinstance(matrix, MixedMatrix):
        return remark
    alone = "all draws are in float32: precision=mixed needs a processor with bf16, and this one has none"
    return "; ".join(filter(None, [remark, alone]))


def rounding_arrays(m: Measurement, *, base: str, scale: str) -> dict[str, Array]:
    """Return `rounding` (U, U) of a result in bf16: how much bf16 moves the matrix of ROUNDING_DRAWS further draws."""
    alone, state = dataclasses.replace(m, share=ALL_UNITS, progress=no_progress), m.generator.get_state()
    matrices = []
    for autoencoder in (m.autoencoder, InBf16(m.autoencoder)):
        m.generator.set_state(state)  # the same draws for both
        empty = ResponseMatrix(range(len(m.units)), m.units, base=base, with_std=scale == "std")
        matrix = add_draws(alone, empty, num_samples=ROUNDING_DRAWS, autoencoder=autoencoder)
        matrices.append(matrix.on_scale(scale)[0])
    description = f"difference that bf16 makes, on {ROUNDING_DRAWS} further independent draws"
    moved_UU = torch.where(matrices[0] == matrices[1], 0.0, (matrices[0] - matrices[1]).abs())  # both may be infinite
    return {"rounding": Array(moved_UU.numpy(), AXES, "std of response" if scale == "std" else "latent", description)}
