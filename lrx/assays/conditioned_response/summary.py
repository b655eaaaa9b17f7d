"""Summary of a result of the assay `conditioned_response`: whether factors have latents of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrx.assays.summary import Summary, listed, share
from lrx.core import rounding

if TYPE_CHECKING:
    from lrx.core.types import AssayResult

FEW_GROUPS = 10


def in_units(result: AssayResult) -> np.ndarray:
    """Return the matrix (F, D) in what its threshold counts in: of quantised latents the deviation of their values."""
    unit = result.arrays.get("unit")
    return np.asarray(result.arrays["matrix"].values / (1.0 if unit is None else unit.values))


def summarize(result: AssayResult) -> Summary:
    """Return the share of a latent's response that is to one factor, and that of a factor's that is of one latent."""
    factors = result.coordinates["factor"]
    shared = rounding.share(1 / len(factors))
    sentence = (
        f"A latent gives {share(result, 'cds')} of its response to one of {len(factors)} factors (CDS; {shared} if to "
        f"all alike), and a factor has {share(result, 'completeness')} of its responses in one latent (completeness)"
    )
    responses_F = in_units(result).max(axis=1)
    uncovered = int(result.scores["num_uncovered"])
    lowest = [factors[place] for place in responses_F.argsort()[:uncovered]]
    threshold = f"above {result.settings['threshold']:g}"
    sentence += (
        f"; no latent responds {threshold} to {listed(lowest)}"
        if lowest
        else f"; each factor has a latent that responds {threshold}"
    )
    few = [
        factor for factor, count in zip(factors, result.arrays["num_groups"].values, strict=True) if count < FEW_GROUPS
    ]
    doubts = (f"Responses to {listed(few)} rest on fewer than {FEW_GROUPS} groups of images.",) if few else ()
    return Summary(f"{sentence}.", doubts)
