"""Summary of a result of the assay `contraction`: which noise one pass takes away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, estimate

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return what is left of noise on and off the codes at the smallest level, and the way back at the largest."""
    levels = [f"{level:g}" for level in result.coordinates["level"]]
    return Summary(
        f"Of noise at {levels[0]} of the spread of codes, {estimate(result, 'gain_on_smallest')} is kept along the "
        f"codes and {estimate(result, 'gain_off_smallest')} off them; from {levels[-1]} a response ends "
        f"{estimate(result, 'to_code_largest')} of the noise away from the code."
    )
