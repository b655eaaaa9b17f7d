"""Informative latents: those that answer to themselves, M_jj > 0.5 on the scale `none`, whatever scale is shown.

Source: Leeb et al. 2022 (arXiv 2106.16091), section 3, and their code. The word is for responses alone: latents whose
codes vary are `active` (Burda et al. 2016). D latents, R of them set.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from lrx.core.types import Array

THRESHOLD = 0.5  # of the response of a latent to itself, on the scale `none`
READ_BACK = 0.5  # of a unit's response to itself over the step that it was set by
CAUSES = "a decoder that ignores its latents, a collapsed posterior, or too little training"  # of small responses


def informative_by_self_response(own_R: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """Return which latents are informative, bool (R,), by their responses to themselves (R,) on the scale `none`."""
    return own_R > threshold


def informative_by_read_back(read_back_R: Tensor, threshold: float = READ_BACK) -> Tensor:
    """Return which units are informative, bool (R,), by M_uu / step_u (R,): codes of a map, and quantised
    ones, have scales of their own."""
    return read_back_R > threshold


def read_back_array(read_back_R: Tensor, axis: str) -> Array:
    """Return which units are informative by what is read back, as an array of a result, uint8 (R,)."""
    values_R = informative_by_read_back(read_back_R).cpu().numpy().astype(np.uint8)
    return Array(values_R, (axis,), "1", f"1 where informative: M_uu / step_u > {READ_BACK:g}")


def remark_on_read_back(read_back_R: Tensor, *, of_map: bool) -> str | None:
    """Return the remark for a reader of units, of a map or not, of which none is informative; None where some are."""
    if informative_by_read_back(read_back_R).any():
        return None
    largest = float(read_back_R.nan_to_num(0).max())  # NaN: a unit that no draw moved
    rule = f"no unit is informative, that is M_uu / step_u > {READ_BACK:g} (the largest is {largest:.2g})"
    if not of_map:
        return f"{rule}, as of {CAUSES}"
    return f"{rule}: its decoder ignores it, or its neighbours overrule it; units=patch:3 sets neighbours together"


def criterion(threshold: float = THRESHOLD) -> str:
    """Return the criterion in words, as it stands beside every mark of an informative latent."""
    return f"M_jj > {threshold:g} on the scale none"


def informative_array(own_R: Tensor, axis: str, threshold: float = THRESHOLD) -> Array:
    """Return which latents are informative as an array of a result, uint8 (R,)."""
    values_R = informative_by_self_response(own_R, threshold).cpu().numpy().astype(np.uint8)
    return Array(values_R, (axis,), "1", f"1 where informative: {criterion(threshold)}")


def remark_on(own_R: Tensor, threshold: float = THRESHOLD) -> str | None:
    """Return the remark for a reader of responses of which none is informative; None where some are."""
    if informative_by_self_response(own_R, threshold).any():
        return None
    largest = float(own_R.max())
    return f"no latent is informative, that is {criterion(threshold)} (the largest is {largest:.2g}), as of {CAUSES}"
