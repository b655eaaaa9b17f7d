"""Informative latents, and remarks on models that have none.

A latent is informative when it answers to itself: M_jj > 0.5, M the response matrix on the scale `none`, whatever the
scale that is shown. Source: Leeb et al. 2022 (arXiv 2106.16091), section 3, and their code. It is a word for responses
alone: latents whose codes vary are `active`, those with a KL `carrying` (see the assays that count them).
D latents.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from lrx.core.types import Array

INFORMATIVE = 0.5  # of the response of a latent to itself, on the scale `none`
DEAD = "a decoder that ignores its latents, a collapsed posterior, or too little training"  # what makes responses small


def rule(threshold: float = INFORMATIVE) -> str:
    """The rule in words, as it stands beside every mark of an informative latent."""
    return f"M_jj > {threshold:g} on the scale none"


def informative_array(own_D: Tensor, axis: str, threshold: float = INFORMATIVE) -> Array:
    """Which latents are informative, uint8 (D,), of their responses to themselves (D,) on the scale `none`."""
    values_D = (own_D > threshold).cpu().numpy().astype(np.uint8)
    return Array(values_D, (axis,), "1", f"1 where informative: {rule(threshold)}")


def remark_on(own_D: Tensor, threshold: float = INFORMATIVE) -> str | None:
    """What a reader must know of responses (D,) to themselves of which none is informative; else None."""
    if (own_D > threshold).any():
        return None
    return (
        f"no latent is informative, that is {rule(threshold)} (the largest is {float(own_D.max()):.2g}), as of {DEAD}"
    )
