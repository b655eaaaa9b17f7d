"""Rows beside those of the response matrix: signed ones, and controls along random directions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from lrx.core.types import Array
from lrx.core.validation import SettingError
from lrx.responses.controls import NUM_DRAWS, measure_controls
from lrx.responses.informative import informative_by_self_response
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measurement import Measurement
from lrx.responses.signed_rows import measure_signed
from lrx.responses.work_units import ALL_UNITS

if TYPE_CHECKING:
    from lrx.assays.response_matrix.assay import Settings


def further_rows(m: Measurement, settings: Settings, matrix: ResponseMatrix) -> dict[str, Array]:
    """Return the arrays of signed rows and of controls, on draws of their own. SettingError where units have several
    latents. Of fewer than two informative latents there are no controls."""
    if (settings.signed or settings.controls) and m.units.kind != "element":
        name = "signed" if settings.signed else "controls"
        raise SettingError(f"{name} is of single latents of vectors, not of units={m.units.kind}")
    alone = dataclasses.replace(m, share=ALL_UNITS)
    arrays: dict[str, Array] = {}
    if settings.signed:
        arrays |= measure_signed(alone, base=matrix.base, num_samples=settings.num_samples)
    latents = _informative(matrix)
    if settings.controls and len(latents) > 1:
        arrays |= measure_controls(
            alone,
            base=matrix.base,
            latents=latents,
            num_controls=settings.controls,
            num_samples=min(settings.num_samples, NUM_DRAWS),
        )
    return arrays


def _informative(matrix: ResponseMatrix) -> list[int]:
    own_D = matrix.self_responses("none")[0]
    return [int(latent) for latent in informative_by_self_response(own_D).nonzero()[:, 0]]
